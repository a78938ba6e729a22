/** The claims of an access token (RFC 9068 §2.2, docs/protocol.md §2) and their strict reader. */
import { type Quota, readQuotas } from "./quota.ts";

export interface AccessTokenClaims {
  iss: string;
  /** The client: `sub` equals `client_id` for the client-credentials grant (RFC 9068 §2.2). */
  sub: string;
  client_id: string;
  /** One resource (RFC 8707); never an array here. */
  aud: string;
  /** Epoch seconds, whole. */
  iat: number;
  /** Epoch seconds, whole. */
  exp: number;
  jti: string;
  /** Scope tokens with single spaces between. */
  scope: string;
  /** The grant this token came from. */
  gid: string;
  /** The client's epoch when the token was issued. */
  ep: number;
  /** The kid of the credential that opened the grant. */
  cred: string;
  /** The client's quotas, those for other scopes left out; absent when there is none. */
  quota?: readonly Quota[];
}

const TEXT_CLAIMS = ["iss", "sub", "client_id", "aud", "jti", "scope", "gid", "cred"] as const;
const NUMBER_CLAIMS = ["iat", "exp", "ep"] as const;

/**
 * The claims in a decoded payload, or undefined when one is missing or of another type.
 * Checks types only: not the signature, the issuer, the audience nor the times.
 */
export function readAccessTokenClaims(payload: unknown): AccessTokenClaims | undefined {
  if (typeof payload !== "object" || payload === null) return undefined;
  const claims = payload as Record<string, unknown>;
  for (const name of TEXT_CLAIMS) if (typeof claims[name] !== "string") return undefined;
  for (const name of NUMBER_CLAIMS) {
    if (!Number.isSafeInteger(claims[name]) || (claims[name] as number) < 0) return undefined;
  }
  if ("quota" in claims && !readQuotas(claims["quota"])) return undefined;
  return claims as unknown as AccessTokenClaims;
}
