/**
 * Whose last secret ends soon, or has ended: enabled clients that have a secret, and nothing else to prove
 * themselves with beyond its end. A client that may use `private_key_jwt` and has a key, or publishes its
 * keys, needs no secret. Not checked: whether a `jwks_uri` can be fetched. Secrets that were revoked count
 * nowhere: a client whose last one was revoked was locked out on purpose.
 *
 * The counts walk the index of all secrets that are not revoked (`secrets_ends`). A page of the list looks
 * at a bounded number of secrets, in the order of their ends (ADR 0038).
 */
import { DAY_SECONDS } from "@daykey/common/clock";
import type { Database } from "@daykey/service/database/database";
import { HAS_KEY, HASH_FORMS } from "../clients/admins-store.ts";

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
  kid: string;
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
  /** One item a client, those that ended first. A page can be short, or empty, where `next` is there. */
  ending(page: {
    withinSeconds: number;
    limit: number;
    after: EndingPlace | undefined;
  }): Promise<{ secrets: EndingSecret[]; next: EndingPlace | undefined }>;
  /** How many clients have a last secret that has ended, ends within 7 days, or ends within 30. */
  endingCounts(): Promise<EndingCounts>;
  /**
   * Whether the caller is the one, of all processes on this database, who names them in the log this day.
   * @param now epoch seconds; a clock that was a day wrong keeps nobody silent
   */
  claimNaming(now: number): Promise<boolean>;
}

/** Methods that take a secret, but for a chosen one; the seed-compatible hash too, where a setting allows it. */
const ANY_FORM = `array['client_secret_basic', 'client_secret_post',
          'client_secret_hash_day', 'client_secret_hash_once', 'client_secret_hash_seed']`;

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
        case when c.auth_methods && ${ANY_FORM} then any_form end,
        case when c.auth_methods && ${HASH_FORMS} then hash_forms end) as expires_at
      from daykey.clients c
      where c.client_id = ends.client_id and c.enabled and c.deleted_at is null
        and not ${HAS_KEY}
      -- One look-up a client by its key, whatever number the planner expects.
      offset 0
    ) c
    where c.expires_at <= now() + make_interval(secs => $1)
  )`;

/** Methods that take the secret `of`, a row of secrets, of the client `c`. */
const takes = (of: string): string =>
  `c.auth_methods && case when ${of}.kind = 'chosen' then ${HASH_FORMS} else ${ANY_FORM} end`;

/** `s` is a secret: the client `c` that cannot prove itself beyond its end. */
const LAST_OF = `select c.name from daykey.clients c
  where c.client_id = s.client_id and c.enabled and c.deleted_at is null and ${takes("s")}
    and not ${HAS_KEY}
    and not exists (
      select from daykey.secrets l
      where l.client_id = c.client_id and l.revoked_at is null and l.expires_at >= s.expires_at
        and (l.expires_at > s.expires_at or l.kid < s.kid) and ${takes("l")})
  -- One look-up a client by its key, whatever number the planner expects.
  offset 0`;

/** Secrets that a page looks at. */
const EXAMINED = 1000;

const MONTH_SECONDS = 30 * 86_400;

interface Row {
  client_id: string;
  /** Null for a secret that is not its client's last: the end of what a page looked at. */
  name: string | null;
  kid: string;
  expires_at: number;
  expires_at_exact: string;
  last_used_at: number | null;
  has_ended: boolean;
}

export function createEndingSecretsStore(database: Database): EndingSecretsStore {
  return {
    async ending({ withinSeconds, limit, after }) {
      const values = [withinSeconds, EXAMINED, limit + 1];
      const later = after
        ? {
            text: "and (expires_at, client_id, kid) > ($4::timestamptz, $5, $6)",
            values: [after.expiresAt, after.clientId, after.kid],
          }
        : { text: "", values: [] };
      const { rows } = await database.query<Row>({
        text: `with examined as materialized (
                 select *, row_number() over (order by expires_at, client_id, kid) as nth from (
                   select client_id, kid, kind, expires_at, last_used_at from daykey.secrets
                   where revoked_at is null and expires_at <= now() + make_interval(secs => $1)
                     ${later.text}
                   order by expires_at, client_id, kid limit $2) s
               ), last as (
                 select s.*, c.name from examined s cross join lateral (${LAST_OF}) c
                 order by nth limit $3
               )
               select client_id, name, kid, expires_at <= now() as has_ended,
                 extract(epoch from expires_at)::float8 as expires_at,
                 to_char(expires_at at time zone 'UTC',
                   'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as expires_at_exact,
                 extract(epoch from last_used_at)::float8 as last_used_at
               from (
                 select * from last
                 union all
                 select s.*, null from examined s
                 where nth = $2 and (select count(*) from last) < $3
               ) s order by nth, name`,
        values: [...values, ...later.values],
      });
      const found = rows.flatMap(({ name, ...row }) => (name === null ? [] : [{ ...row, name }]));
      const end = found.length > limit ? found[limit - 1] : rows.find(({ name }) => name === null);
      return {
        secrets: found.slice(0, limit).map((row) => ({
          clientId: row.client_id,
          name: row.name,
          kid: row.kid,
          expiresAt: row.expires_at,
          lastUsedAt: row.last_used_at ?? undefined,
          hasEnded: row.has_ended,
        })),
        next: end && { clientId: end.client_id, kid: end.kid, expiresAt: end.expires_at_exact },
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

    async claimNaming(now) {
      const { rowCount } = await database.query({
        text: `insert into daykey.settings (name, value) values ('secrets_named_at', $1::float8::text)
               on conflict (name) do update set value = excluded.value
               where abs(settings.value::float8 - $1::float8) >= $2`,
        values: [now, DAY_SECONDS],
      });
      return rowCount > 0;
    },
  };
}
