/** A trusted issuer: whose words about workloads count, and how they are checked. */
import type { JWK } from "jose";
import type { AssertionAlgorithm } from "@daykey/common/protocol";

/**
 * Where its keys are: `discovery` (OpenID Connect or RFC 8414), a `jwks_uri`, a set that an operator
 * uploaded, or the address of a SPIFFE bundle.
 */
export const KEY_SOURCES = ["discovery", "jwks_uri", "jwks", "spiffe"] as const;
export type KeySource = (typeof KEY_SOURCES)[number];

/** What an operator decides. */
export interface IssuerRegistration {
  name: string;
  /** Exactly as its tokens have it; of a SPIFFE trust domain `spiffe://<domain>`. Never changes. */
  iss: string;
  enabled: boolean;
  keySource: KeySource;
  /** Present for `jwks_uri` and `spiffe`. */
  keysUri: string | undefined;
  /** Present for `jwks`: public members alone, each with kid and alg. */
  jwks: readonly JWK[] | undefined;
  algorithms: readonly AssertionAlgorithm[];
  /** The longest age of a token, and the longest time until its end where it does not say when it was made. */
  maxAgeSeconds: number;
  /** What its tokens are for; empty: this server. */
  audiences: readonly string[];
  /** Whether a token may be used more than once though it has a `jti`. */
  reusable: boolean;
}

export interface TrustedIssuer extends IssuerRegistration {
  version: number;
  /** Epoch seconds. */
  createdAt: number;
  updatedAt: number;
}

export const SPIFFE_SCHEME = "spiffe://";

/** Whether every token that counted before would count now. */
export function isNoStricter(after: IssuerRegistration, before: IssuerRegistration): boolean {
  const keysOf = ({ jwks }: IssuerRegistration) =>
    (jwks ?? []).map((jwk) => JSON.stringify(jwk, Object.keys(jwk).toSorted()));
  const keys = keysOf(after);
  return (
    after.enabled === before.enabled &&
    after.keySource === before.keySource &&
    after.keysUri === before.keysUri &&
    keysOf(before).every((key) => keys.includes(key)) &&
    before.algorithms.every((algorithm) => after.algorithms.includes(algorithm)) &&
    after.maxAgeSeconds >= before.maxAgeSeconds &&
    after.audiences.length > 0 === before.audiences.length > 0 &&
    before.audiences.every((audience) => after.audiences.includes(audience)) &&
    (after.reusable || !before.reusable)
  );
}

const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+$/;
const MAX_SPIFFE_ID_LENGTH = 2048;

/** The trust domain of a SPIFFE ID as an issuer's `iss`, or undefined for what is none of a workload. */
export function trustDomainOf(spiffeId: string): string | undefined {
  if (spiffeId.length > MAX_SPIFFE_ID_LENGTH || !SPIFFE_ID.test(spiffeId)) return undefined;
  return spiffeId.slice(0, spiffeId.indexOf("/", SPIFFE_SCHEME.length));
}
