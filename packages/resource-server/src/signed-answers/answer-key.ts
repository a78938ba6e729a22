/**
 * The keys of this server's own answers (ANSWER_KEY): the first signs, the public parts of all of them
 * are published, so that one can follow another.
 */
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  sign,
} from "node:crypto";
import type { HttpSignatureAlgorithm, SignBytes } from "@daykey/common/http-signature";

export interface AnswerKey {
  /** RFC 7638 thumbprint. */
  kid: string;
  algorithm: HttpSignatureAlgorithm;
  /** As it stands in the key set. */
  publicJwk: JsonWebKey & { kid: string; alg: string; use: "sig" };
  sign: SignBytes;
}

/** At least one. */
export type AnswerKeys = readonly [AnswerKey, ...AnswerKey[]];

const MAX_KEYS = 8;

/** A private JWK, or a JWK set of at most eight (RFC 7517): Ed25519 or P-256. Undefined for anything else. */
export function readAnswerKeys(text: string): AnswerKeys | undefined {
  try {
    const value = Object(JSON.parse(text)) as { keys?: unknown };
    const members: unknown[] = Array.isArray(value.keys) ? value.keys : [value];
    const [first, ...others] = members.map((member) => {
      return toAnswerKey(createPrivateKey({ key: member as JsonWebKey, format: "jwk" }));
    });
    if (!first || others.length >= MAX_KEYS) return undefined;
    const keys: AnswerKeys = [first, ...others];
    return new Set(keys.map(({ kid }) => kid)).size === keys.length ? keys : undefined;
  } catch {
    return undefined;
  }
}

/** A new private JWK, as ANSWER_KEY wants it. */
export function generateAnswerKey(): string {
  return JSON.stringify(generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }));
}

/** One that nobody else has, and that ends with this process. */
export function createAnswerKeys(): AnswerKeys {
  return [toAnswerKey(generateKeyPairSync("ed25519").privateKey)];
}

/** @throws for a key of another kind */
function toAnswerKey(key: KeyObject): AnswerKey {
  const { kty, crv, x, y } = key.export({ format: "jwk" });
  const isEd25519 = crv === "Ed25519";
  if (!isEd25519 && crv !== "P-256") throw new TypeError("neither Ed25519 nor P-256");
  const members = isEd25519 ? { crv, kty, x } : { crv, kty, x, y };
  const kid = createHash("sha256").update(JSON.stringify(members)).digest("base64url");
  return {
    kid,
    algorithm: isEd25519 ? "ed25519" : "ecdsa-p256-sha256",
    publicJwk: {
      ...(members as JsonWebKey),
      kid,
      alg: isEd25519 ? "Ed25519" : "ES256",
      use: "sig",
    },
    // RFC 9421 §3.3.4: r and s, 32 bytes each.
    sign: (data) =>
      isEd25519 ? sign(null, data, key) : sign("sha256", data, { key, dsaEncoding: "ieee-p1363" }),
  };
}
