import type { Database } from "@daykey/service/database/database";
import { deleteExpired } from "@daykey/common/delete-expired";
import { fromRowUri, toRowUri } from "../resources/resources-store.ts";

/** Requests of one client with one scope, on one day at one resource. */
export interface UsageCount {
  clientId: string;
  /** `YYYY-MM-DD` in UTC. */
  day: string;
  scope: string;
  served: number;
  /** By a quota. */
  refused: number;
}

export interface UsageReport {
  resource: string;
  /** The client that reports, and which of its processes. */
  clientId: string;
  reporter: string;
  /** Above that of the reporter's last report. */
  seq: number;
  counts: readonly UsageCount[];
}

export interface UsageFilter {
  clientId?: string | undefined;
  resource?: string | undefined;
  /** First and last day. */
  from?: string | undefined;
  to?: string | undefined;
}

/** Where a page ended: the next begins after it. */
export interface UsagePlace {
  day: string;
  id: number;
}

export interface UsageStore {
  /**
   * Adds a report's counts, unless it was added before; those of clients that never were, or of days
   * that are not kept, are left out.
   */
  add(report: UsageReport): Promise<"added" | "repeated">;
  /** The newest day first. */
  list(page: {
    limit: number;
    after: UsagePlace | undefined;
    filter: UsageFilter;
  }): Promise<{ usage: (UsageCount & { resource: string })[]; next: UsagePlace | undefined }>;
  /** Deletes what is older than is kept, by the database's clock. */
  clean(): Promise<void>;
}

/** A count stays one that JSON has exactly, whatever is reported. */
const MOST = Number.MAX_SAFE_INTEGER;
const DAYS_KEPT = 400;
/** A report is tried again for no longer. */
const REPORTER_DAYS = 7;

interface Row {
  id: number;
  date: string;
  resource: string;
  client_id: string;
  scope: string;
  served: number;
  refused: number;
}

export function createUsageStore(database: Database, { issuer }: { issuer: string }): UsageStore {
  return {
    async add({ resource, clientId, reporter, seq, counts }) {
      return database.transaction(async (tx) => {
        const { rowCount } = await tx.query({
          text: `insert into daykey.usage_reporters as r (client_id, reporter, seq, expires_at)
                 values ($1, $2, $3, now() + interval '${REPORTER_DAYS} days')
                 on conflict (client_id, reporter) do update
                   set seq = excluded.seq, expires_at = excluded.expires_at
                   where r.seq < excluded.seq`,
          values: [clientId, reporter, seq],
        });
        if (rowCount === 0) return "repeated";
        await tx.query({
          // In one order, so that two reports at once do not block each other for good.
          text: `insert into daykey.usage as u (day, resource, client_id, scope, served, refused)
                 select day, $1, client_id, scope, sum(served)::bigint, sum(refused)::bigint
                 from unnest($2::date[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
                   as counted (day, client_id, scope, served, refused)
                 where day between (now() at time zone 'UTC')::date - ${DAYS_KEPT}
                     and (now() at time zone 'UTC')::date + 1
                   and exists (select from daykey.clients c where c.client_id = counted.client_id)
                 group by day, client_id, scope order by day, client_id, scope
                 on conflict (day, resource, client_id, scope) do update
                   set served = least(u.served + excluded.served, ${MOST}),
                     refused = least(u.refused + excluded.refused, ${MOST})`,
          values: [
            toRowUri(resource, issuer),
            counts.map((count) => count.day),
            counts.map((count) => count.clientId),
            counts.map((count) => count.scope),
            counts.map((count) => count.served),
            counts.map((count) => count.refused),
          ],
        });
        return "added";
      });
    },

    async list({ limit, after, filter }) {
      const { rows } = await database.query<Row>({
        text: `select id::float8 as id, to_char(day, 'YYYY-MM-DD') as date, resource, client_id, scope,
                 served::float8 as served, refused::float8 as refused
               from daykey.usage
               where ($1::text is null or client_id = $1) and ($2::text is null or resource = $2)
                 and ($3::date is null or day >= $3) and ($4::date is null or day <= $4)
                 and ($5::date is null or (day, usage.id) < ($5, $6::bigint))
               order by day desc, usage.id desc limit $7`,
        values: [
          filter.clientId ?? null,
          filter.resource === undefined ? null : toRowUri(filter.resource, issuer),
          filter.from ?? null,
          filter.to ?? null,
          after?.day ?? null,
          after?.id ?? null,
          limit + 1,
        ],
      });
      const last = rows.length > limit ? rows[limit - 1] : undefined;
      return {
        usage: rows.slice(0, limit).map((row) => ({
          clientId: row.client_id,
          day: row.date,
          resource: fromRowUri(row.resource, issuer),
          scope: row.scope,
          served: row.served,
          refused: row.refused,
        })),
        next: last && { day: last.date, id: last.id },
      };
    },

    async clean() {
      const before = `(now() at time zone 'UTC')::date - ${DAYS_KEPT}`;
      await deleteExpired(database, "daykey.usage", before, "day");
      await deleteExpired(database, "daykey.usage_reporters", "now()");
    },
  };
}
