/** Signature keys as their clients and the auth-server have them, and requests that they sign. */
import { createHmac, generateKeyPairSync, type JsonWebKey, randomBytes, sign } from "node:crypto";
import type { SignatureKeyFile } from "@daykey/client/signature-key";
import { keyIdOf } from "@daykey/common/api-key";
import { formatContentDigest } from "@daykey/common/content-digest";
import { inputOf, type SignatureParameters, signMessage } from "@daykey/common/http-signature";
import { requestMessage } from "@daykey/common/http-signature-base";
import { DIGESTS } from "@daykey/guard/digests";
import { CLIENT, ISSUER, type Refusal, RESOURCE } from "./resource-server.ts";

export interface TestKey {
  id: string;
  file: SignatureKeyFile;
  /** As `POST /signature-keys` tells it. */
  answer(changes?: Record<string, unknown>): Record<string, unknown>;
  sign(data: Uint8Array): Uint8Array;
}

export function createSignatureKey(algorithm: "hmac-sha256" | "ed25519" = "hmac-sha256"): TestKey {
  const id = keyIdOf(1_795_262_400, randomBytes(5));
  const secret = randomBytes(32);
  const k = secret.toString("base64url");
  const pair = generateKeyPairSync("ed25519");
  const privateJwk = pair.privateKey.export({ format: "jwk" }) as JsonWebKey & { kty: string };
  const isHmac = algorithm === "hmac-sha256";
  const material = isHmac ? { secret: k } : { private_jwk: privateJwk };
  const file = { key_id: id, algorithm, client_id: CLIENT, resource: RESOURCE, ...material };
  return {
    id,
    file,
    answer: (changes = {}) => ({
      active: true,
      iss: ISSUER,
      client_id: CLIENT,
      aud: RESOURCE,
      scope: "time:read primes:check",
      ep: 0,
      cred: id,
      alg: algorithm,
      jwk: isHmac ? { kty: "oct", k } : pair.publicKey.export({ format: "jwk" }),
      ...changes,
    }),
    sign: (data) =>
      isHmac
        ? createHmac("sha256", secret).update(data).digest()
        : sign(null, data, pair.privateKey),
  };
}

export interface ToSign {
  key: TestKey;
  created: number;
  method?: string;
  target?: string;
  body?: string;
  components?: readonly string[];
  parameters?: Partial<Record<keyof SignatureParameters, unknown>>;
  /** Fields that are covered though they are not sent. */
  fields?: Record<string, string>;
  resource?: string;
}

/** The fields of a request that is signed as told, rightly unless told otherwise. */
export async function signedHeaders(toSign: ToSign): Promise<Record<string, string>> {
  const { key, created, method = "GET", target = "/time", body, resource = RESOURCE } = toSign;
  const sent: Record<string, string> =
    body === undefined
      ? {}
      : {
          "content-type": "application/json",
          "content-digest": await formatContentDigest(DIGESTS, Buffer.from(body)),
        };
  const fields: Record<string, string> = { ...sent, ...toSign.fields };
  const message = requestMessage(new URL(target, resource), method, (name) => {
    const value = fields[name];
    return value === undefined ? undefined : [value];
  });
  const usual = ["@method", "@authority", "@path", "@query"];
  const components = toSign.components ?? [...usual, ...Object.keys(sent)];
  const nonce = randomBytes(8).toString("hex");
  const parameters = { created, keyid: key.id, nonce, ...toSign.parameters };
  const input = inputOf(components, parameters as SignatureParameters);
  const { signatureInput, signature } = await signMessage(message, {
    label: "sig",
    input,
    sign: key.sign,
  });
  return { ...sent, "signature-input": signatureInput, signature };
}

/** The one answer to a signature that is not good. @param detail where anyone could see why */
export function invalidSignature(detail?: string): Refusal {
  const metadata = `${RESOURCE}/.well-known/oauth-protected-resource`;
  return {
    status: 401,
    challenge: `Bearer realm="${RESOURCE}", resource_metadata="${metadata}"`,
    body: {
      type: "urn:daykey:problem:invalid-signature",
      title: "The signature is not valid here",
      status: 401,
      ...(detail !== undefined && { detail }),
    },
  };
}
