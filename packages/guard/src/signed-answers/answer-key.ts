/**
 * The keys of this server's own answers (ANSWER_KEY): the first signs, the public parts of all of them
 * are published, so that one can follow another.
 */
import {
  createHash,
  createHmac,
  createPrivateKey,
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

/** An Ed25519 private key (RFC 8410 §7) without its 32 bytes. */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * The key without ANSWER_KEY: made of this server's own secret, so that all instances have the same, and
 * nobody else, the auth-server included.
 */
export function deriveAnswerKeys(clientSecret: string, resource: string): AnswerKeys {
  const seed = createHmac("sha256", clientSecret).update(`daykey-answer-key-v1\n${resource}\n`);
  const der = Buffer.concat([PKCS8_HEAD, seed.digest()]);
  return [toAnswerKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" }))];
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
