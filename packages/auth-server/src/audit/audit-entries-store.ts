/**
 * Reading the audit log in pages, newest first. Without a filter that is by number. With one it is by time,
 * then number, because the indexes of filters end in both; the two differ only where the database's clock
 * was set back. One filter is found by its index and at most `EXAMINED` of its entries are looked at for
 * the others, so that no question costs more than that however long the log is.
 */
import type { Database } from "@daykey/service/database/database";
import type { AuditEntry } from "./audit-store.ts";
import type { ChainedRow } from "./chain.ts";
import type { AuditAction } from "./events.ts";

export interface AuditFilter {
  actor?: string | undefined;
  action?: AuditAction | undefined;
  /** The client that the target is, or to which the secret or key belongs. */
  clientId?: string | undefined;
  /** From here on: UTC with at most microseconds, as in `2026-11-21T12:00:00.123456Z`. */
  since?: string | undefined;
  /** Before here. */
  until?: string | undefined;
}

export interface AuditPage {
  limit: number;
  /** `next` of the page before. */
  after?: string | undefined;
  filter?: AuditFilter;
}

export interface AuditEntries {
  /** Can be fewer than asked for, or none, where `next` is there. */
  entries: AuditEntry[];
  /** Decimal digits; undefined at the end. */
  next: string | undefined;
}

export interface AuditRow extends ChainedRow {
  hash: Buffer;
}

interface Row extends AuditRow {
  place: string;
  is_match: boolean;
  /** The last of as many as a page looks at. */
  is_last: boolean;
}

export const UTC = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`;
export const COLUMNS = `seq::float8 as seq, to_char(at at time zone 'UTC', ${UTC}) as at,
  actor, action, target, detail, hash`;

/** Entries that a page looks at where more than one filter is given. */
export const EXAMINED = 1000;

/** Targets of these actions begin with no client. */
const NO_CLIENT = "action !~ '^(resource|signing_key|grant|database)[.]'";

export async function listEntries(
  database: Database,
  { limit, after, filter = {} }: AuditPage,
): Promise<AuditEntries> {
  const { actor, action, clientId, since, until } = filter;
  const values: unknown[] = [];
  const value = (given: unknown): string => `$${values.push(given)}`;
  const conditions: string[] = [];
  // The most selective first: its index is the one to use.
  if (clientId !== undefined) {
    conditions.push(`split_part(target, ' ', 1) = ${value(clientId)} and ${NO_CLIENT}`);
  }
  if (action !== undefined) conditions.push(`action = ${value(action)}`);
  if (actor !== undefined) conditions.push(`actor = ${value(actor)}`);
  const [found = "true", ...others] = conditions;
  // As the index has it (0009): another spelling could not use it.
  const [time, type] =
    conditions.length > 0
      ? ["(audit_log.at at time zone 'UTC')", "timestamp"]
      : ["audit_log.at", "timestamptz"];
  const range: string[] = [];
  if (since !== undefined) range.push(`${time} >= ${value(since)}::${type}`);
  if (until !== undefined) range.push(`${time} < ${value(until)}::${type}`);
  const isFiltered = conditions.length + range.length > 0;
  if (after !== undefined) {
    const seq = `${value(after)}::bigint`;
    const at = `(select ${time} from daykey.audit_log where seq = ${seq})`;
    range.push(isFiltered ? `(${time}, seq) < (${at}, ${seq})` : `seq < ${seq}`);
  }
  const order = isFiltered ? `${time} desc, audit_log.seq desc` : "audit_log.seq desc";
  const examined = others.length > 0 ? EXAMINED : limit + 1;
  const { rows } = await database.query<Row>({
    text: `select * from (
             select *, count(*) over () = ${value(examined)} and nth = count(*) over () as is_last,
               count(*) filter (where is_match) over (order by nth) as match
             from (
               select ${COLUMNS}, seq::text as place, ${others.join(" and ") || "true"} as is_match,
                 row_number() over (order by ${order}) as nth
               from daykey.audit_log where ${[found, ...range].join(" and ")}
               order by ${order} limit ${value(examined)}
             ) e
           ) e
           where is_match and match <= ${value(limit + 1)} or is_last
           order by nth`,
    values,
  });
  const matches = rows.filter((row) => row.is_match);
  const entries = matches.slice(0, limit);
  const last = matches.length > limit ? entries.at(-1) : rows.find((row) => row.is_last);
  return { entries: entries.map(toEntry), next: last?.place };
}

function toEntry({ seq, at, actor, action, target, detail, hash }: Row): AuditEntry {
  return { seq, at, actor, action, target, detail, hash: hash.toString("hex") };
}
