/** What the code relies on in a session it sets, whatever the defaults of role, database and server are. */
import { expect, test } from "vitest";

import { createTestDatabase } from "../../test/database.ts";
import { createTestLog } from "../../test/log.ts";
import { createDatabase } from "./database.ts";
import { DatabaseUnavailable } from "./database-unavailable.ts";

const HOSTILE = {
  default_transaction_isolation: "serializable",
  default_transaction_read_only: "on",
  default_transaction_deferrable: "on",
  synchronous_commit: "off",
  search_path: "information_schema",
  timezone: "Pacific/Chatham",
  datestyle: "SQL, DMY",
  intervalstyle: "iso_8601",
  bytea_output: "escape",
  extra_float_digits: "-10",
  standard_conforming_strings: "off",
  array_nulls: "off",
  transform_null_equals: "on",
  idle_session_timeout: "50ms",
};

async function withHostileDefaults(
  use: (database: ReturnType<typeof createDatabase>) => Promise<void>,
): Promise<void> {
  const rows = await createTestDatabase();
  const name = new URL(rows.adminUrl).pathname.slice(1);
  for (const [setting, value] of Object.entries(HOSTILE)) {
    // For this database alone: the role is shared by other tests.
    await rows.query(`alter role daykey_app in database ${name} set ${setting} to '${value}'`);
  }
  const database = createDatabase({ connectionString: rows.appUrl, log: createTestLog().log });
  try {
    await use(database);
  } finally {
    await database.close();
    await rows.drop();
  }
}

test("a session and a transaction have what the code assumes", async () => {
  await withHostileDefaults(async (database) => {
    const text = `select current_setting('default_transaction_isolation') as isolation,
      current_setting('transaction_read_only') as read_only,
      current_setting('idle_session_timeout') as idle,
      current_setting('synchronous_commit') as durable, current_setting('search_path') as path,
      timestamptz '2026-01-02T00:00:00Z'::text as day, '\\\\x0aff'::bytea::text as bytes,
      (1764550000.123456::float8)::text as float`;
    const expected = {
      isolation: "read committed",
      read_only: "off",
      idle: "0",
      durable: "on",
      path: "pg_catalog, public",
      day: "2026-01-02 00:00:00+00",
      bytes: "\\x5c780aff",
      float: "1764550000.123456",
    };
    const { rows } = await database.query<Record<string, string>>({ text });
    expect(rows[0]).toMatchObject({ ...expected, bytes: expect.any(String) });
    await database.transaction(async (tx) => {
      const { rows: within } = await tx.query<Record<string, string>>({ text });
      expect(within[0]).toMatchObject({ ...expected, bytes: expect.any(String) });
    });
  });
});

test("a transaction that met another is run again, a few times, and then unavailable", async () => {
  await withHostileDefaults(async (database) => {
    for (const code of ["40001", "40P01"]) {
      let runs = 0;
      const conflict = `do $$ begin raise exception 'x' using errcode = '${code}'; end $$`;
      const result = await database.transaction(async (tx) => {
        runs += 1;
        if (runs < 3) await tx.query({ text: conflict });
        return runs;
      });
      expect(result).toBe(3);
      runs = 0;
      const never = database.transaction(async (tx) => {
        runs += 1;
        await tx.query({ text: conflict });
      });
      await expect(never).rejects.toBeInstanceOf(DatabaseUnavailable);
      expect(runs).toBe(4);
      await expect(database.query({ text: conflict })).rejects.toBeInstanceOf(DatabaseUnavailable);
    }
  });
});

test("two transactions that lock each other both end", async () => {
  await withHostileDefaults(async (database) => {
    const lock = (key: number) => ({ text: "select pg_advisory_xact_lock($1)", values: [key] });
    let waiting = 0;
    const both = Promise.withResolvers<void>();
    const run = async (first: number, second: number): Promise<string> =>
      database.transaction(async (tx) => {
        await tx.query(lock(first));
        if (++waiting === 2) both.resolve();
        await both.promise;
        await tx.query(lock(second));
        return "done";
      });
    expect(await Promise.all([run(1, 2), run(2, 1)])).toEqual(["done", "done"]);
  });
});
