/** What a database does for a store of ours: pg's pool and `@daykey/service`'s database both fit. */
export interface StatementRunner {
  query(statement: { text: string }): Promise<{ rowCount: number | null }>;
}

/** Rows that one statement deletes at most. */
const PART = 10_000;

/**
 * Deletes a table's rows whose `column` lies before an instant, by range: in parts, so that no
 * backlog is too large for a statement's time, and leaving to another instance what it is deleting.
 *
 * @param table qualified, with an index that begins with the column
 * @param before an SQL expression by the database's clock, such as `now()`
 */
export async function deleteExpired(
  database: StatementRunner,
  table: string,
  before: string,
  column = "expires_at",
): Promise<void> {
  let deleted: number | null = PART;
  while (deleted === PART) {
    const { rowCount } = await database.query({
      text: `delete from ${table} where ctid = any (array(
               select ctid from ${table} where ${column} < ${before}
               order by ${column} limit ${PART} for update skip locked))`,
    });
    deleted = rowCount;
  }
}
