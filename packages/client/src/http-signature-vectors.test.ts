/** The vectors of RFC 9421 and RFC 9530 over WebCrypto. */
import { formatContentDigest, isContentDigestOf } from "@daykey/common/content-digest";
import { bytesToSign, readSignatures, signMessage } from "@daykey/common/http-signature";
import { requestMessage, type RequestMessage } from "@daykey/common/http-signature-base";
import { expect, test } from "vitest";
import vectors from "../../common/vectors/http-signature.json" with { type: "json" };
import { readSignatureKey, type SignatureKeyFile } from "./signature-key.ts";
import { signUrl } from "./sign-url.ts";
import { importSignatureKey, signWith, verifyWith, webDigest } from "./web-signature.ts";

const { request, response, busy } = vectors.messages;
const fieldsOf =
  (fields: Record<string, string[]>) =>
  (name: string): string[] | undefined =>
    fields[name];
const requested: RequestMessage = requestMessage(
  new URL(request.url),
  request.method,
  fieldsOf(request.fields),
);
const MESSAGES = {
  request: requested,
  response: { status: response.status, fields: fieldsOf(response.fields) },
  busy: { status: busy.status, fields: fieldsOf(busy.fields), request: requested },
};

test.each(vectors.signatures)("RFC 9421 §$section: $name is verified", async (vector) => {
  const { alg, jwk } = vectors.keys[vector.key as keyof typeof vectors.keys];
  const algorithm = alg as "ed25519";
  const message = MESSAGES[vector.message as keyof typeof MESSAGES];
  const [read] = readSignatures(vector.signature_input, vector.signature) ?? [];
  if (!read) throw new TypeError("unreadable");
  const key = await importSignatureKey(algorithm, jwk, "verify");
  const bytes = bytesToSign(message, read.input);
  expect(new TextDecoder().decode(bytes)).toBe(vector.base);
  expect(await verifyWith(algorithm, key, read.signature, bytes)).toBe(true);
  const forged = await Promise.all(
    Array.from({ length: read.signature.length }, (_, index) => {
      const changed = read.signature.with(index, (read.signature[index] ?? 0) ^ 1);
      return verifyWith(algorithm, key, changed, bytes);
    }),
  );
  expect(forged).not.toContain(true);

  // An ECDSA signature is another one each time.
  if (alg === "ecdsa-p256-sha256") return;
  const signing = await importSignatureKey(algorithm, jwk, "sign");
  const sign = (data: Uint8Array): Promise<Uint8Array> => signWith(algorithm, signing, data);
  expect(await signMessage(message, { label: read.label, input: read.input, sign })).toEqual({
    signatureInput: vector.signature_input,
    signature: vector.signature,
  });
});

test.each(vectors.content_digests)("RFC 9530: $field of $content", async (vector) => {
  const content = new TextEncoder().encode(vector.content);
  expect(await isContentDigestOf(webDigest, vector.field, content)).toBe(vector.is_digest);
});

test("the signed request and the signed URL of docs/protocol.md §5.4, §5.5", async () => {
  const { key: file, request: signed, url } = vectors.daykey;
  const key = await readSignatureKey(file as SignatureKeyFile);
  const content = new TextEncoder().encode(signed.body);
  expect(await formatContentDigest(webDigest, content)).toBe(signed.content_digest);
  const [read] = readSignatures(signed.signature_input, signed.signature) ?? [];
  if (!read) throw new TypeError("unreadable");
  const message = requestMessage(
    new URL(signed.url),
    signed.method,
    fieldsOf({ "content-type": [signed.content_type], "content-digest": [signed.content_digest] }),
  );
  const made = await signMessage(message, { label: "sig", input: read.input, sign: key.sign });
  expect(made).toEqual({ signatureInput: signed.signature_input, signature: signed.signature });
  const options = { now: url.now, lifeSeconds: url.life_seconds };
  expect(await signUrl(key, url.unsigned, options)).toBe(url.signed);
});
