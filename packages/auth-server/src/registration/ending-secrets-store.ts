/**
 * Whose last secret ends soon, or has ended: enabled clients that have a secret, and nothing else to prove
 * themselves with beyond its end. A client that may use `private_key_jwt` and has a key, or publishes its
 * keys, needs no secret. Not checked: whether a `jwks_uri` can be fetched. Secrets that were revoked count
 * nowhere: a client whose last one was revoked was locked out on purpose.
 *
 * Each question walks the index of all secrets that are not revoked (`secrets_ends`), and reads of
 * clients those alone whose secrets end in time.
 */
import type { Database } from "@daykey/service/database/database";

/** The last secret of a client; times are epoch seconds, by the database's clock. */
export interface EndingSecret {
  clientId: string;
  /** The client's name, for people. */
  name: string;
  kid: string;
  expiresAt: number;
  lastUsedAt: number | undefined;
  hasEnded: boolean;
}

/** Where a page ended: the next begins after it. */
export interface EndingPlace {
  clientId: string;
  /** UTC with microseconds, as in `2026-11-21T12:00:00.123456Z`. */
  expiresAt: string;
}

export interface EndingCounts {
  ended: number;
  /** Not ended yet, as the next. */
  week: number;
  month: number;
}

export interface EndingSecretsStore {
  /** One item a client, those that ended first. */
  ending(page: {
    withinSeconds: number;
    limit: number;
    after: EndingPlace | undefined;
  }): Promise<{ secrets: EndingSecret[]; next: EndingPlace | undefined }>;
  /** Of how many clients the last secret has ended, and ends within 7 days and within 30. */
  endingCounts(): Promise<EndingCounts>;
}

/**
 * `$1` is in how many seconds. The ends are grouped before anything else is read: by what takes them, as
 * the hash forms take any secret, the other methods no chosen one.
 */
const ENDING = `with ends as materialized (
    select client_id, max(expires_at) filter (where kind <> 'chosen') as any_form,
      max(expires_at) filter (where kind = 'chosen') as hash_forms
    from daykey.secrets where revoked_at is null group by client_id
    having least(max(expires_at) filter (where kind <> 'chosen'),
      max(expires_at) filter (where kind = 'chosen')) <= now() + make_interval(secs => $1)
  ), ending as (
    select client_id, c.name, c.expires_at from ends
    cross join lateral (
      select c.name, greatest(
        case when c.auth_methods && array['client_secret_basic', 'client_secret_post',
          'client_secret_hash_day', 'client_secret_hash_once', 'client_secret_hash_seed']
          then any_form end,
        case when c.auth_methods && array['client_secret_hash_day', 'client_secret_hash_once']
          then hash_forms end) as expires_at
      from daykey.clients c
      where c.client_id = ends.client_id and c.enabled and c.deleted_at is null
        and not ('private_key_jwt' = any(c.auth_methods) and (c.jwks_uri is not null or exists (
          select from daykey.client_keys k
          where k.client_id = c.client_id and k.revoked_at is null)))
      -- One look-up a client by its key, whatever number the planner expects.
      offset 0
    ) c
    where c.expires_at <= now() + make_interval(secs => $1)
  )`;

const MONTH_SECONDS = 30 * 86_400;

interface Row {
  client_id: string;
  name: string;
  kid: string;
  expires_at: number;
  expires_at_exact: string;
  last_used_at: number | null;
  has_ended: boolean;
}

export function createEndingSecretsStore(database: Database): EndingSecretsStore {
  return {
    async ending({ withinSeconds, limit, after }) {
      const { rows } = await database.query<Row>({
        text: `${ENDING}, page as (
                 select * from ending
                 where $2::text is null or (expires_at, client_id) > ($3::timestamptz, $2)
                 order by expires_at, client_id limit $4
               )
               select page.client_id, page.name, s.kid, s.expires_at <= now() as has_ended,
                 extract(epoch from s.expires_at)::float8 as expires_at,
                 to_char(s.expires_at at time zone 'UTC',
                   'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as expires_at_exact,
                 extract(epoch from s.last_used_at)::float8 as last_used_at
               from page cross join lateral (
                 select * from daykey.secrets s
                 where s.client_id = page.client_id and s.expires_at = page.expires_at
                   and s.revoked_at is null
                 order by s.kid limit 1
               ) s
               order by page.expires_at, page.client_id`,
        values: [withinSeconds, after?.clientId ?? null, after?.expiresAt ?? null, limit + 1],
      });
      const last = rows.length > limit ? rows[limit - 1] : undefined;
      return {
        secrets: rows.slice(0, limit).map((row) => ({
          clientId: row.client_id,
          name: row.name,
          kid: row.kid,
          expiresAt: row.expires_at,
          lastUsedAt: row.last_used_at ?? undefined,
          hasEnded: row.has_ended,
        })),
        next: last && { clientId: last.client_id, expiresAt: last.expires_at_exact },
      };
    },

    async endingCounts() {
      const { rows } = await database.query<EndingCounts>({
        text: `${ENDING}
               select (count(*) filter (where expires_at <= now()))::int as ended,
                 (count(*) filter (where expires_at > now()
                   and expires_at <= now() + interval '7 days'))::int as week,
                 (count(*) filter (where expires_at > now()))::int as month
               from ending`,
        values: [MONTH_SECONDS],
      });
      return rows[0] ?? { ended: 0, week: 0, month: 0 };
    },
  };
}
