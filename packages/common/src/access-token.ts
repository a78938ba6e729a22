/** The claims of an access token (RFC 9068 §2.2, docs/protocol.md §2) and their strict reader. */
import { fromUtf8 } from "./bytes.ts";
import { type JsonObject, readJsonObject } from "./json-numbers.ts";
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
  /** Epoch seconds, whole; this server sets none. */
  nbf?: number;
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
    if (!isTime(claims[name])) return undefined;
  }
  if ("nbf" in claims && !isTime(claims["nbf"])) return undefined;
  if ("quota" in claims && !readQuotas(claims["quota"])) return undefined;
  return claims as unknown as AccessTokenClaims;
}

/**
 * The claims in a payload's bytes, or undefined: no UTF-8, no JSON, no object, a name that is there twice
 * (RFC 7519 §4), or what `readAccessTokenClaims` does not take. Checks no more than that does.
 */
export function decodeAccessTokenClaims(payload: Uint8Array): AccessTokenClaims | undefined {
  const members = readJwtObject(payload);
  return members && readAccessTokenClaims(JSON.parse(fromUtf8(payload)));
}

/** The JSON object in a JOSE header or payload, none of its names there twice, or undefined (RFC 7515 §4). */
export function readJwtObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    return readJsonObject(fromUtf8(bytes));
  } catch {
    return undefined;
  }
}

function isTime(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
