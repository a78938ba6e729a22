/** What a key of a client, an API key or one that signs, lets its holder do here. */
import type { KeyClaims } from "@daykey/common/key-claims";
import { type Access, type CredentialKind, type Holder, InvalidCredential } from "../access.ts";

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
  return {
    via,
    ...holder,
    subject: clientId,
    actors: [],
    scope: claims.scope.split(" "),
    expiresAt: claims.exp,
    revocation: "feed",
    quotas,
  };
}
