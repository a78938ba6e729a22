/**
 * Who can administrate, which is more than who may: an enabled client with the scope `daykey:admin`, the
 * issuer among its resources, the grant type `client_credentials`, access tokens that are bound to nothing
 * (the issuer's own API takes no other), and a live credential that one of its methods takes. Not checked:
 * whether a `jwks_uri` can be fetched, and whether anybody has the secret. The seed-compatible hash does not
 * count, since a setting can turn it off.
 */
import type { Queryable } from "@daykey/service/database/database";
import { problem } from "@daykey/service/http/problem-error";

import { ADMIN_SCOPE } from "./client.ts";
import { toRowUri } from "../resources/resources-store.ts";

/** Methods that take any secret, a chosen one too. */
export const HASH_FORMS = "array['client_secret_hash_day', 'client_secret_hash_once']";

/** Whether the client `c` may use a key, and has one. */
export const HAS_KEY = `('private_key_jwt' = any(c.auth_methods) and (
      c.jwks_uri is not null
      or exists (
        select from daykey.client_keys k
        where k.client_id = c.client_id and k.revoked_at is null)))`;

/** `$1` is the issuer's row, `$2` in how many seconds. The scope stands in the text for its index. */
const CAN = `c.deleted_at is null and c.enabled and '${ADMIN_SCOPE}' = any(c.scopes)
  and $1 = any(c.resources) and 'client_credentials' = any(c.grant_types)
  and c.dpop = 'optional' and not c.certificate_bound
  and (
    exists (
      select from daykey.secrets s
      where s.client_id = c.client_id and s.revoked_at is null
        and s.expires_at > now() + make_interval(secs => $2)
        and c.auth_methods && case when s.kind in ('generated', 'imported') then array['client_secret_basic', 'client_secret_post',
            'client_secret_hash_day', 'client_secret_hash_once']
          else ${HASH_FORMS} end)
    or ${HAS_KEY})`;

/** Whether any client can administrate. */
export async function canAnyAdministrate(queryable: Queryable, issuer: string): Promise<boolean> {
  const { rowCount } = await queryable.query({
    text: `select from daykey.clients c where ${CAN} limit 1`,
    values: [toRowUri(issuer, issuer), 0],
  });
  return rowCount > 0;
}

/**
 * Runs `change`, which takes something from this client, and refuses it where the client could
 * administrate before and nobody can afterwards. To be called within `changeAlone`: two admins who end
 * each other come one after the other.
 * @param options.inSeconds when the change has its effect: the end of an overlap
 * @throws {ProblemError} 409 `last-admin`
 */
export async function keepAnAdmin<T>(
  tx: Queryable,
  { issuer, clientId, inSeconds = 0 }: { issuer: string; clientId: string; inSeconds?: number },
  change: () => Promise<T>,
): Promise<T> {
  const values = [toRowUri(issuer, issuer), inSeconds];
  const { rowCount: could } = await tx.query({
    text: `select from daykey.clients c where c.client_id = $3 and ${CAN}`,
    values: [...values, clientId],
  });
  const result = await change();
  if (could === 0) return result;
  const { rowCount: can } = await tx.query({
    text: `select from daykey.clients c where ${CAN} limit 1`,
    values,
  });
  if (can > 0) return result;
  throw problem("last-admin", {
    detail:
      "An admin is enabled, has the scope daykey:admin, the issuer as a resource, the grant type " +
      "client_credentials, access tokens that are bound to nothing, and a live credential of one of " +
      "its methods. Let this client or another have all of these first.",
  });
}
