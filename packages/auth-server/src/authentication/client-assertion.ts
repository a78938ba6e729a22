/**
 * Assertions as text: a JWT (`common/jws.ts`) with the claims of RFC 7523 §3, and what of them the one of
 * `private_key_jwt` must have. What is read here is not yet proved.
 */
import type { JsonObject, JsonValue } from "@daykey/common/json-numbers";
import { isTyped, parseJws } from "@daykey/common/jws";
import {
  ASSERTION_ALGORITHMS,
  ASSERTION_TYP,
  type AssertionAlgorithm,
  PATHS,
} from "@daykey/common/protocol";

/** An assertion of anyone: a client of its own key, or a workload's issuer. */
export interface JwtAssertion {
  /** Undefined for one that is not accepted. */
  algorithm: AssertionAlgorithm | undefined;
  /** Says which of the signer's keys; every other header that names or brings a key is ignored. */
  kid: string | undefined;
  typ: JsonValue | undefined;
  /** A JWT-SVID may have none. */
  issuer: string | undefined;
  subject: string;
  audience: JsonValue | undefined;
  jti: JsonValue | undefined;
  /** Epoch seconds, as the next two. */
  expiresAt: number;
  issuedAt: number | undefined;
  notBefore: number | undefined;
  /** All claims, as they are written. */
  claims: JsonObject;
  /** What the signature is over. */
  signed: Buffer;
  signature: Uint8Array;
}

/** The assertion of a client. */
export interface ClientAssertion extends JwtAssertion {
  issuer: string;
  jti: string;
}

/** It is kept as long as the assertion could be used. */
const JTI = /^[\x21-\x7e]{1,128}$/;

/** The assertion in a parameter, or undefined when it is not written as one. */
export function parseAssertion(text: string): JwtAssertion | undefined {
  const jws = parseJws(text);
  if (typeof jws === "string") return undefined;
  const { header, claims, signed, signature } = jws;
  const { alg, kid, typ } = header;
  const { iss, sub, aud, jti, exp, iat, nbf } = claims;
  if (kid !== undefined && typeof kid !== "string") return undefined;
  if (iss !== undefined && typeof iss !== "string") return undefined;
  if (typeof sub !== "string") return undefined;
  if (!isTime(exp) || !(iat === undefined || isTime(iat)) || !(nbf === undefined || isTime(nbf))) {
    return undefined;
  }
  return {
    algorithm: algorithmOf(alg),
    kid,
    typ,
    issuer: iss,
    subject: sub,
    audience: aud,
    jti,
    expiresAt: Number(exp),
    issuedAt: iat === undefined ? undefined : Number(iat),
    notBefore: nbf === undefined ? undefined : Number(nbf),
    claims,
    signed: Buffer.from(signed, "latin1"),
    signature,
  };
}

/** The assertion as a client's, which says who made it and has a name of its own; else undefined. */
export function asClientAssertion(
  assertion: JwtAssertion | undefined,
): ClientAssertion | undefined {
  if (!assertion) return undefined;
  const { issuer, jti } = assertion;
  const isNamed = typeof jti === "string" && JTI.test(jti);
  return issuer !== undefined && isNamed ? { ...assertion, issuer, jti } : undefined;
}

/**
 * What is wrong with an assertion whoever signed it, as a reason for the log, or undefined. Its `typ` is
 * that of RFC 10070, `JWT` as most libraries write, or absent: RFC 10070 took back the rule of its
 * drafts that an untyped one is to be refused.
 */
export function assertionFault(
  { algorithm, typ, issuer, subject, audience }: ClientAssertion,
  expected: { clientId: string; issuer: string },
): string | undefined {
  const isTypeTaken = typ === undefined || isTyped(typ, "JWT") || isTyped(typ, ASSERTION_TYP);
  if (!isTypeTaken) return "assertion_typ";
  if (!isOnlyAudience(audience, [expected.issuer])) {
    return isEndpointOf(audience, expected.issuer)
      ? "assertion_audience_endpoint"
      : "assertion_audience";
  }
  if (issuer !== expected.clientId || subject !== expected.clientId) return "assertion_subject";
  return algorithm ? undefined : "assertion_algorithm";
}

/** Whether it says that it is an assertion and no other JWT (RFC 8725 §3.11). */
export function isTypedAssertion({ typ }: ClientAssertion): boolean {
  return isTyped(typ, ASSERTION_TYP);
}

/** One of these and nothing beside it (RFC 10070); a list of one value is that value (RFC 7519 §4.1.3). */
export function isOnlyAudience(
  audience: JsonValue | undefined,
  expected: readonly string[],
): boolean {
  const one: unknown = Array.isArray(audience) && audience.length === 1 ? audience[0] : audience;
  return typeof one === "string" && expected.includes(one);
}

/** RFC 7523 took these, and some libraries still send nothing else; told apart for the log alone. */
function isEndpointOf(audience: JsonValue | undefined, issuer: string): boolean {
  const named = Array.isArray(audience) ? audience : [audience];
  return [PATHS.token, PATHS.introspect, PATHS.revoke].some((path) =>
    named.includes(issuer + path),
  );
}

/** `EdDSA` is the older name of `Ed25519` (RFC 9864 §3.1), where the curve is the key's. */
function algorithmOf(alg: JsonValue | undefined): AssertionAlgorithm | undefined {
  return ASSERTION_ALGORITHMS.find((name) => name === (alg === "EdDSA" ? "Ed25519" : alg));
}

/** A NumericDate (RFC 7519 §2). */
function isTime(value: JsonValue | undefined): value is number | bigint {
  if (typeof value !== "number" && typeof value !== "bigint") return false;
  return value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}
