/** What the auth-server says of a key of a client, an API key or one that signs (docs/protocol.md §5). */
import { isKeyId } from "@daykey/common/api-key";
import { type Quota, readQuotas } from "@daykey/common/quota";
import { type Access, type CredentialKind, type Holder, InvalidCredential } from "./access.ts";

export interface KeyClaims {
  iss: string;
  client_id: string;
  /** The resource that the key is for. */
  aud: string;
  /** Of the key, its client and the resource: what all three have. */
  scope: string;
  /** The client's epoch. */
  ep: number;
  /** The key's id. */
  cred: string;
  /** Epoch seconds. */
  exp?: number;
  /** Of the client. */
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

/**
 * What a key gives its holder.
 * @throws {InvalidCredential} for one of another issuer or resource, and one that has expired
 */
export function accessOfKey(
  claims: KeyClaims,
  {
    via,
    issuer,
    audience,
    now,
  }: {
    via: CredentialKind;
    issuer: string;
    /** This resource. */
    audience: string;
    now: number;
  },
): Access {
  const { client_id: clientId, cred: credential, quota = [], key_quota: keyQuota = [] } = claims;
  const holder: Holder = { clientId, credential };
  if (claims.iss !== issuer) throw new InvalidCredential("wrong_iss", holder);
  if (claims.aud !== audience) throw new InvalidCredential("wrong_aud", holder);
  if (claims.exp !== undefined && claims.exp <= now) {
    throw new InvalidCredential("expired", holder);
  }
  const quotas = { client: quota, key: keyQuota };
  return { via, ...holder, scope: claims.scope.split(" "), quotas };
}
