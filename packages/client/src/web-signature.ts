/** Keys of HTTP message signatures over WebCrypto (RFC 9421 §3.3). */
import type { HttpSignatureAlgorithm } from "@daykey/common/http-signature";
import type { DigestPrimitives } from "@daykey/common/content-digest";
import type { CryptoKey } from "./platform.ts";

export const webDigest: DigestPrimitives = {
  sha256: async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", owned(data))),
  sha512: async (data) => new Uint8Array(await crypto.subtle.digest("SHA-512", owned(data))),
};

/** WebCrypto's ECDSA signature is the RFC's: r and s, 32 bytes each. */
const ALGORITHMS: Record<
  HttpSignatureAlgorithm,
  { name: string; hash?: string; namedCurve?: string }
> = {
  "hmac-sha256": { name: "HMAC", hash: "SHA-256" },
  ed25519: { name: "Ed25519" },
  "ecdsa-p256-sha256": { name: "ECDSA", hash: "SHA-256", namedCurve: "P-256" },
};

/** The members of a JWK (RFC 7517) that make a key of these algorithms. */
export interface SignatureJwk {
  kty: string;
  crv?: string;
  k?: string;
  d?: string;
  x?: string;
  y?: string;
}

/** Rejects for what is no key of the algorithm. */
export async function importSignatureKey(
  algorithm: HttpSignatureAlgorithm,
  jwk: SignatureJwk,
  usage: "sign" | "verify",
): Promise<CryptoKey> {
  const { kty, crv, k, d, x, y } = jwk;
  const members = { kty, crv, k, x, y, ...(usage === "sign" && { d }) };
  const given = Object.fromEntries(Object.entries(members).filter(([, value]) => value));
  return crypto.subtle.importKey("jwk", { kty, ...given }, ALGORITHMS[algorithm], false, [usage]);
}

export async function signWith(
  algorithm: HttpSignatureAlgorithm,
  key: CryptoKey,
  data: Uint8Array,
): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign(ALGORITHMS[algorithm], key, owned(data)));
}

export async function verifyWith(
  algorithm: HttpSignatureAlgorithm,
  key: CryptoKey,
  signature: Uint8Array,
  data: Uint8Array,
): Promise<boolean> {
  return crypto.subtle.verify(ALGORITHMS[algorithm], key, owned(signature), owned(data));
}

/** WebCrypto's types take no bytes that might be shared between threads. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
