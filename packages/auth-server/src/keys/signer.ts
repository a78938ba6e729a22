/**
 * Signing access tokens: a JWS in compact form (RFC 7515) with node:crypto, synchronous and with the
 * header made once a key, because the signature is most of what a token costs. `jose` is the oracle
 * in the tests and makes keys, JWKs and thumbprints.
 */
import { createPublicKey, KeyObject, sign } from "node:crypto";
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
}

/** The digest given to node:crypto; Ed25519 hashes by itself. */
const DIGEST: Record<SigningAlgorithm, string | null> = {
  ES256: "sha256",
  RS256: "sha256",
  Ed25519: null,
};

/** A new private key with its kid, the RFC 7638 thumbprint. */
export async function generateSigningKey(
  algorithm: SigningAlgorithm,
): Promise<{ kid: string; privateKey: KeyObject }> {
  const options = { extractable: true, modulusLength: 2048 };
  const { privateKey } = await generateKeyPair(algorithm, options);
  const jwk = await exportJWK(privateKey);
  return { kid: await calculateJwkThumbprint(jwk), privateKey: KeyObject.from(privateKey) };
}

export async function createSigningKey(
  kid: string,
  algorithm: SigningAlgorithm,
  privateKey: KeyObject,
): Promise<SigningKey> {
  const publicJwk = await exportJWK(createPublicKey(privateKey));
  const header = encode({ alg: algorithm, typ: ACCESS_TOKEN_TYP, kid });
  const key = { key: privateKey, dsaEncoding: "ieee-p1363" as const };
  return {
    kid,
    algorithm,
    publicJwk: { ...publicJwk, kid, alg: algorithm, use: "sig" },
    sign(claims) {
      const input = `${header}.${encode(claims)}`;
      const signature = sign(DIGEST[algorithm], Buffer.from(input, "latin1"), key);
      return `${input}.${signature.toString("base64url")}`;
    },
  };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
