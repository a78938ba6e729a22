import type { Queryable } from "./database.ts";

/** Rows that one statement deletes at most. */
const PART = 10_000;

/**
 * Deletes a table's rows whose `expires_at` lies before an instant, by range: in parts, so that no
 * backlog is too large for a statement's time, and leaving to another instance what it is deleting.
 *
 * @param table qualified, with an index on `expires_at`
 * @param before an SQL expression by the database's clock, such as `now()`
 */
export async function deleteExpired(
  database: Queryable,
  table: string,
  before: string,
): Promise<void> {
  let deleted = PART;
  while (deleted === PART) {
    const { rowCount } = await database.query({
      text: `delete from ${table} where ctid = any (array(
               select ctid from ${table} where expires_at < ${before}
               order by expires_at limit ${PART} for update skip locked))`,
    });
    deleted = rowCount;
  }
}
