/** What the auth-server says of a key of a client, an API key or one that signs (docs/protocol.md §5), and its strict reader. */
import { isKeyId } from "./api-key.ts";
import { type Quota, readQuotas } from "./quota.ts";

export interface KeyClaims {
  iss: string;
  client_id: string;
  /** The resource that the key is for. */
  aud: string;
  /** Scope that the key, its client and the resource all have. */
  scope: string;
  /** The client's epoch. */
  ep: number;
  /** The key's id. */
  cred: string;
  /** Epoch seconds. */
  exp?: number;
  /** The client's quotas. */
  quota?: readonly Quota[];
  key_quota?: readonly Quota[];
}

/** The claims in a decoded answer, or undefined when one is missing or of another type. */
export function readKeyClaims(answer: object): KeyClaims | undefined {
  const claims = answer as Partial<Record<string, unknown>>;
  for (const name of ["iss", "client_id", "aud", "scope"]) {
    if (typeof claims[name] !== "string") return undefined;
  }
  const { cred, ep, exp } = claims;
  if (typeof cred !== "string" || !isKeyId(cred) || !isWhole(ep)) return undefined;
  if (exp !== undefined && !isWhole(exp)) return undefined;
  for (const name of ["quota", "key_quota"]) {
    if (claims[name] !== undefined && !readQuotas(claims[name])) return undefined;
  }
  return answer as KeyClaims;
}

const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
