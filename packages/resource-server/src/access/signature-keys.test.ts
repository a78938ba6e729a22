/** The vectors of RFC 9421 and of docs/protocol.md §5.4 and §5.5 by this server's cryptography, and the latter served. */
import { createPublicKey } from "node:crypto";
import { bytesToSign, readSignatures } from "@daykey/common/http-signature";
import { requestMessage } from "@daykey/common/http-signature-base";
import { fromBase64url } from "@daykey/common/bytes";
import { expect, test } from "vitest";
import vectors from "../../../common/vectors/http-signature.json" with { type: "json" };
import { ISSUER, startResourceServer } from "../../test/resource-server.ts";
import { isSignatureOf, type SignatureKey } from "@daykey/guard/keys/signature-keys";

const { fields, method, url } = vectors.messages.request;

test.each(vectors.signatures.filter(({ message }) => message === "request"))(
  "RFC 9421 §$section: $name",
  ({ signature_input: input, signature, key: name }) => {
    const { alg, jwk } = vectors.keys[name as "test-shared-secret" | "test-key-ed25519"];
    const key: SignatureKey =
      "k" in jwk
        ? { algorithm: "hmac-sha256", secret: fromBase64url(jwk.k) ?? new Uint8Array() }
        : { algorithm: "ed25519", publicKey: createPublicKey({ key: jwk, format: "jwk" }) };
    expect(key.algorithm).toBe(alg);
    const [read] = readSignatures(input, signature) ?? [];
    if (!read) throw new TypeError("unreadable");
    const message = requestMessage(new URL(url), method, (field) => fields[field as "date"]);
    const bytes = bytesToSign(message, read.input);
    expect(isSignatureOf(key, read.signature, bytes)).toBe(true);
    expect(isSignatureOf(key, read.signature.subarray(1), bytes)).toBe(false);
    expect(isSignatureOf(undefined, read.signature, bytes)).toBe(false);
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    expect(isSignatureOf(key, read.signature, bytes)).toBe(false);
  },
);

test("the signed request and the signed URL of docs/protocol.md are served", async () => {
  const { key, request, url: signedUrl } = vectors.daykey;
  const api = await startResourceServer({ config: { resource: key.resource } });
  const { key_id: cred, client_id, resource: aud, secret: k } = key;
  const scope = "time:read primes:check";
  const claims = { iss: ISSUER, client_id, aud, scope, ep: 0, cred };
  api.authServer.answerKeys(() => ({
    active: true,
    ...claims,
    alg: key.algorithm,
    jwk: { kty: "oct", k },
  }));
  const target = request.url.slice(aud.length);
  const answer = await api.request(`${request.method} ${target}`, {
    headers: {
      "content-type": request.content_type,
      "content-digest": request.content_digest,
      "signature-input": request.signature_input,
      signature: request.signature,
    },
    body: request.body,
  });
  expect([answer.status, answer.body]).toEqual([200, expect.objectContaining({ prime: true })]);
  expect((await api.request(`GET ${signedUrl.signed.slice(aud.length)}`)).status).toBe(200);
  await api.stop();
});
