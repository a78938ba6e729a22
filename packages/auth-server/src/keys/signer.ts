/**
 * Signing access tokens: a JWS in compact form (RFC 7515) with node:crypto, synchronous and with the
 * header made once a key, because the signature is most of what a token costs. `jose` is the oracle
 * in the tests and makes keys, JWKs and thumbprints.
 */
import { createPublicKey, KeyObject, sign, verify } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import type { AccessTokenClaims } from "@daykey/common/access-token";
import { ACCESS_TOKEN_TYP, type SigningAlgorithm } from "@daykey/common/protocol";

export interface SigningKey {
  kid: string;
  algorithm: SigningAlgorithm;
  /** As published in the JWKS (RFC 7517 §4): public members, kid, alg and use. */
  publicJwk: JWK;
  /** The signed access token. */
  sign(claims: AccessTokenClaims): string;
  /** Whether this key made the token: its header byte for byte, and its signature. */
  verify(token: string): boolean;
}

/** The digest given to node:crypto; Ed25519 hashes by itself. */
const DIGEST: Record<SigningAlgorithm, string | null> = {
  ES256: "sha256",
  RS256: "sha256",
  Ed25519: null,
  EdDSA: null,
};

/**
 * A new private key with its kid, the RFC 7638 thumbprint. It never begins with a dash: as an argument
 * such a kid would be taken for an option.
 */
export async function generateSigningKey(
  algorithm: SigningAlgorithm,
): Promise<{ kid: string; privateKey: KeyObject }> {
  const options = { extractable: true, modulusLength: 2048 };
  const { privateKey } = await generateKeyPair(algorithm, options);
  const kid = await calculateJwkThumbprint(await exportJWK(privateKey));
  if (kid.startsWith("-")) return generateSigningKey(algorithm);
  return { kid, privateKey: KeyObject.from(privateKey) };
}

export async function createSigningKey(
  kid: string,
  algorithm: SigningAlgorithm,
  privateKey: KeyObject,
): Promise<SigningKey> {
  const publicKey = createPublicKey(privateKey);
  const verifyingKey = { key: publicKey, dsaEncoding: "ieee-p1363" as const };
  const publicJwk = await exportJWK(publicKey);
  const header = encode({ alg: algorithm, typ: ACCESS_TOKEN_TYP, kid });
  return {
    kid,
    algorithm,
    publicJwk: { ...publicJwk, kid, alg: algorithm, use: "sig" },
    sign(claims) {
      const input = `${header}.${encode(claims)}`;
      // The bare key object: with options around it (as `dsaEncoding` needs) signing costs twice as much.
      const signature = sign(DIGEST[algorithm], Buffer.from(input, "latin1"), privateKey);
      const bytes = algorithm === "ES256" ? rawEcdsa(signature) : signature;
      return `${input}.${bytes.toString("base64url")}`;
    },
    verify(token) {
      if (!token.startsWith(`${header}.`)) return false;
      const end = token.lastIndexOf(".");
      const text = token.slice(end + 1);
      const signature = Buffer.from(text, "base64url");
      if (signature.toString("base64url") !== text) return false;
      const input = Buffer.from(token.slice(0, end));
      return verify(DIGEST[algorithm], input, verifyingKey, signature);
    },
  };
}

const P256_BYTES = 32;

/** r ‖ s of 32 bytes each (RFC 7518 §3.4), from OpenSSL's DER: SEQUENCE of two INTEGERs without spare bytes. */
function rawEcdsa(der: Buffer): Buffer {
  const raw = Buffer.alloc(2 * P256_BYTES);
  let at = 2;
  for (const end of [P256_BYTES, 2 * P256_BYTES]) {
    const start = at + 2;
    at = start + der.readUInt8(at + 1);
    // A leading 0 keeps the number positive; a short one is filled up on the left.
    const number = der.subarray(Math.max(start, at - P256_BYTES), at);
    number.copy(raw, end - number.length);
  }
  return raw;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
