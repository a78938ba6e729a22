import type { Database } from "@daykey/service/database/database";

export interface CredentialUse {
  clientId: string;
  /** The kid of a secret or registered key, or the id of an access key. Any other is passed over. */
  kid: string;
  /** Epoch seconds. */
  usedAt: number;
}

export interface LastUsedStore {
  /** Sets when these credentials were last used, unless a later time stands there. One statement. */
  record(uses: readonly CredentialUse[]): Promise<void>;
}

export function createLastUsedStore(database: Database): LastUsedStore {
  return {
    async record(uses) {
      await database.query({
        name: "record-last-used",
        // Locked in one order, so that two instances that write at once do not block each other for good.
        text: `with used as (
                 select client_id, kid, to_timestamp(used_at) as used_at
                 from unnest($1::text[], $2::text[], $3::float8[]) as u (client_id, kid, used_at)
               ), locked_secrets as (
                 select s.client_id, s.kid, used.used_at
                 from daykey.secrets s join used using (client_id, kid)
                 order by s.client_id, s.kid for no key update of s
               ), locked_keys as (
                 select k.client_id, k.kid, used.used_at
                 from daykey.client_keys k join used using (client_id, kid)
                 order by k.client_id, k.kid for no key update of k
               ), locked_access_keys as (
                 select a.id, used.used_at
                 from daykey.access_keys a join used on used.client_id = a.client_id and used.kid = a.id
                 order by a.id for no key update of a
               ), used_access_keys as (
                 update daykey.access_keys a set last_used_at = l.used_at from locked_access_keys l
                 where a.id = l.id and (a.last_used_at is null or a.last_used_at < l.used_at)
               ), used_secrets as (
                 update daykey.secrets s set last_used_at = l.used_at from locked_secrets l
                 where s.client_id = l.client_id and s.kid = l.kid
                   and (s.last_used_at is null or s.last_used_at < l.used_at)
               )
               update daykey.client_keys k set last_used_at = l.used_at from locked_keys l
               where k.client_id = l.client_id and k.kid = l.kid
                 and (k.last_used_at is null or k.last_used_at < l.used_at)`,
        values: [
          uses.map((use) => use.clientId),
          uses.map((use) => use.kid),
          uses.map((use) => use.usedAt),
        ],
      });
    },
  };
}
