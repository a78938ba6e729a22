import type { Knex } from "knex";
import { afterEach, beforeEach, expect, test } from "vitest";

import { createTestDatabase, type TestDatabase } from "../../test/database.ts";
import { createTestLog } from "../../test/log.ts";
import { createDatabase } from "./database.ts";
import { type Migration, migrate, pendingMigrations } from "./migrate.ts";

const SCHEMA = "Some schema";
const { log } = createTestLog();
let home: TestDatabase;

beforeEach(async () => {
  home = await createTestDatabase({ empty: true });
});

afterEach(() => home.drop());

const first: Migration = {
  name: "0001-first",
  up: async (knex) => void (await knex.raw('create table "Some schema".one (id int)')),
};
const second: Migration = {
  name: "0002-second",
  up: async (knex) => void (await knex.raw('create table "Some schema".two (id int)')),
};
const failing: Migration = {
  name: "0002-second",
  async up(knex: Knex) {
    await knex.raw('create table "Some schema".two (id int)');
    throw new RangeError("half way");
  },
};

const run = (...migrations: Migration[]) =>
  migrate({ connectionString: home.ownerUrl, migrations, schema: SCHEMA });
const tables = async () => {
  const rows = await home.query<{ name: string }>(
    "select tablename as name from pg_tables where schemaname = $1 order by 1",
    [SCHEMA],
  );
  return rows.map(({ name }) => name).filter((name) => !name.startsWith("migrations"));
};

test("migrations are applied once, in order, and named", async () => {
  expect(await run(first)).toEqual(["0001-first"]);
  expect(await run(first, second)).toEqual(["0002-second"]);
  expect(await run(first, second)).toEqual([]);
  expect(await tables()).toEqual(["one", "two"]);
});

test("many instances may migrate at once: one does, the others find it done", async () => {
  const runs = await Promise.all(Array.from({ length: 6 }, () => run(first, second)));
  expect(runs.toSorted((a, b) => b.length - a.length)).toEqual([
    ["0001-first", "0002-second"],
    ...Array.from({ length: 5 }, () => []),
  ]);
});

test("many may migrate at once also where an index is made without locking its table", async () => {
  const concurrent: Migration = {
    name: "0002-concurrent",
    withoutTransaction: true,
    up: async (knex) =>
      void (await knex.raw('create index concurrently "one id" on "Some schema".one (id)')),
  };
  const runs = await Promise.all(Array.from({ length: 6 }, () => run(first, concurrent)));
  expect(runs.flat()).toEqual(["0001-first", "0002-concurrent"]);
  const index = await home.query(
    `select indisvalid as valid from pg_index where indexrelid = '"Some schema"."one id"'::regclass`,
  );
  expect(index).toEqual([{ valid: true }]);
});

test("a migration that fails leaves nothing behind, and can be tried again", async () => {
  await run(first);
  await expect(run(first, failing)).rejects.toThrow("half way");
  expect(await tables()).toEqual(["one"]);
  expect(await run(first, second)).toEqual(["0002-second"]);
});

test("knex's own lock, left by a process that was killed, is no obstacle", async () => {
  await run(first);
  await home.query(`update "${SCHEMA}".migrations_lock set is_locked = 1`);
  expect(await run(first, second)).toEqual(["0002-second"]);
});

test("a database that a newer version migrated is refused in one sentence", async () => {
  await run(first, second);
  await expect(run(first)).rejects.toThrow(
    "The database belongs to a newer version, which applied 0002-second. Run that version.",
  );
});

test.each([
  ["127.0.0.1:1", "127.0.0.1:1/daykey"],
  ["127.0.0.1:1,127.0.0.1:2", "127.0.0.1:1/daykey or 127.0.0.1:2/daykey"],
])("a database at %s that is not there is told in one sentence", async (hosts, name) => {
  const connectionString = `postgresql://daykey_owner:canary@${hosts}/daykey`;
  await expect(migrate({ connectionString, migrations: [], schema: SCHEMA })).rejects.toThrow(
    `The database at ${name} refuses connections: nothing listens there (ECONNREFUSED).`,
  );
});

test("tables are analyzed after a migration", async () => {
  const filled: Migration = {
    name: "0001-filled",
    up: async (knex) =>
      void (await knex.raw(
        'create table "Some schema".filled as select n from generate_series(1, 500) n',
      )),
  };
  await run(filled);
  const text = "select reltuples::int as rows from pg_class where relname = 'filled'";
  expect(await home.query(text)).toEqual([{ rows: 500 }]);
});

test("a server can tell which migrations its database lacks", async () => {
  const database = createDatabase({ connectionString: home.ownerUrl, log });
  const pending = () =>
    pendingMigrations(database, { migrations: [first, second], schema: SCHEMA });
  expect(await pending()).toEqual(["0001-first", "0002-second"]);
  await run(first);
  expect(await pending()).toEqual(["0002-second"]);
  await run(first, second);
  expect(await pending()).toEqual([]);
  await database.close();
});

test("a limit that the owner's statements have does not end a migration", async () => {
  const name = new URL(home.adminUrl).pathname.slice(1);
  await home.query(`alter role daykey_owner in database ${name} set statement_timeout to '30s'`);
  const told: Migration = {
    name: "0001-told",
    up: async (knex) =>
      void (await knex.raw(
        `create table "Some schema".told as select current_setting('statement_timeout') as most`,
      )),
  };
  await run(told);
  expect(await home.query('select most from "Some schema".told')).toEqual([{ most: "0" }]);
});
