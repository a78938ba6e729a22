/**
 * Access tokens validated here, without asking anyone (RFC 9068 §4, RFC 8725): form, algorithm, key
 * from the configured key set alone, signature, type, issuer, audience, times. What was verified is
 * remembered by the token's digest, so that a token used again costs one hash; its end, and whether it
 * was revoked, are checked at every use. Failures are never remembered.
 */
import { errors, jwtVerify } from "jose";
import { LRUCache } from "lru-cache";
import {
  type AccessTokenClaims,
  readAccessTokenClaims,
  timeFault,
} from "@daykey/common/access-token";
import type { Clock } from "@daykey/common/clock";
import { parseJws } from "@daykey/common/jws";
import { ACCESS_TOKEN_TYP, MAX_ACCESS_TOKEN_LENGTH } from "@daykey/common/protocol";
import { type Access, accessOfToken, type Authenticate, InvalidCredential } from "../access.ts";
import { sha256OfText } from "../digests.ts";
import type { Jwks } from "./jwks.ts";
import type { IsRevoked } from "../revocation/stale-policy.ts";

const MAX_KID_LENGTH = 128;

interface Verified {
  claims: AccessTokenClaims;
  kid: string;
  access: Access;
}

export function createTokenValidator({
  issuer,
  audience,
  jwks,
  isRevoked,
  clock,
  maxLifeSeconds,
  cacheSize,
}: {
  issuer: string;
  /** This resource. */
  audience: string;
  jwks: Jwks;
  /** Undefined where revocations are not heard: a token is then good until its end. */
  isRevoked: IsRevoked | undefined;
  clock: Clock;
  /** A token with a longer life is refused: revocations are remembered only so long. */
  maxLifeSeconds: number;
  /** Most verified tokens kept in memory. */
  cacheSize: number;
}): Authenticate {
  const verified = new LRUCache<string, Verified>({ max: cacheSize });
  const revocation = isRevoked ? "feed" : "until-expiry";

  async function verify(token: string): Promise<Verified> {
    const { alg, kid } = readHeader(token);
    const key = await jwks.find(kid);
    if (!key) throw new InvalidCredential("unknown_kid");
    const algorithm = key.algorithms.find((name) => name === alg);
    if (!algorithm) throw new InvalidCredential("algorithm_of_another_key");
    const now = clock();
    const { payload } = await jwtVerify(token, key.key, {
      algorithms: [algorithm],
      // As `isTyped`: takes `application/at+jwt` too, in any case (RFC 9068 §4, RFC 7515 §4.1.9).
      typ: ACCESS_TOKEN_TYP,
      issuer,
      audience,
      currentDate: new Date(now * 1000),
      requiredClaims: ["exp", "iat"],
    }).catch((error: unknown) => {
      throw error instanceof errors.JOSEError ? refusalOf(error) : error;
    });
    const claims = readAccessTokenClaims(payload);
    // `jwtVerify` takes an `aud` that is a list.
    if (!claims || claims.aud !== audience) throw new InvalidCredential("wrong_claims");
    const access = accessOfToken(claims, revocation);
    const fault = timeFault(claims, { now, maxLifeSeconds });
    if (fault) throw new InvalidCredential(fault, access);
    return { claims, kid, access };
  }

  async function verifyOnce(token: string): Promise<Verified> {
    if (token.length > MAX_ACCESS_TOKEN_LENGTH) throw new InvalidCredential("malformed");
    const digest = sha256OfText(token);
    const known = verified.get(digest);
    // A kid that left the key set takes what it signed along.
    if (known && jwks.has(known.kid)) {
      if (known.claims.exp <= clock()) throw new InvalidCredential("expired", known.access);
      return known;
    }
    const fresh = await verify(token);
    verified.set(digest, fresh);
    return fresh;
  }

  return async (token) => {
    const { claims, kid, access } = await verifyOnce(token);
    if (await isRevoked?.({ token, claims, kid })) throw new InvalidCredential("revoked", access);
    return access;
  };
}

/**
 * What `jwtVerify` is not to judge: it takes more than one spelling, and the last of two members of one
 * name. Whatever is remembered has passed here, so each token is remembered in one spelling only.
 */
function readHeader(token: string): { alg: string; kid: string } {
  const jws = parseJws(token);
  if (typeof jws === "string") throw new InvalidCredential(jws);
  const { alg, kid } = jws.header;
  if (typeof alg !== "string") throw new InvalidCredential("no_algorithm");
  if (typeof kid !== "string" || kid.length > MAX_KID_LENGTH) throw new InvalidCredential("no_kid");
  return { alg, kid };
}

/** jose's error as ours; its claim errors come after the signature was verified. */
function refusalOf(error: errors.JOSEError): InvalidCredential {
  if (error instanceof errors.JWTExpired) return signed("expired", error.payload);
  if (error instanceof errors.JWTClaimValidationFailed) {
    return signed(`wrong_${error.claim}`, error.payload);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return new InvalidCredential("wrong_signature");
  }
  return new InvalidCredential(error.code.toLowerCase());
}

function signed(reason: string, payload: unknown): InvalidCredential {
  const claims = readAccessTokenClaims(payload);
  return new InvalidCredential(reason, claims && accessOfToken(claims));
}
