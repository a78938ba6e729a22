import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { createTestDatabase, type TestDatabase } from "../../test/database.ts";
import { createTestLog } from "../../test/log.ts";
import { createDatabase, type Database } from "./database.ts";
import { DatabaseUnavailable } from "./database-unavailable.ts";

let home: TestDatabase;
let database: Database;
const { log, lines } = createTestLog();

beforeEach(async () => {
  home = await createTestDatabase({ empty: true });
  await home.query("create table things (id int primary key)");
  await home.query("grant all on things to daykey_app");
  database = createDatabase({
    connectionString: home.appUrl,
    log,
    max: 2,
    timeouts: { connectSeconds: 0.2, statementSeconds: 0.3, lockSeconds: 0.2, silenceSeconds: 2 },
  });
});

afterEach(async () => {
  await database.close();
  await home.drop();
});

const insert = (id: number) => ({ text: "insert into things values ($1)", values: [id] });
const ids = async () =>
  (await home.query<{ id: number }>("select id from things order by id")).map(({ id }) => id);

test("a query gives its rows and their count", async () => {
  const result = await database.query<{ n: number }>({
    name: "numbers",
    text: "select n from generate_series(1, $1::int) as n",
    values: [2],
  });
  expect(result).toMatchObject({ rows: [{ n: 1 }, { n: 2 }], rowCount: 2 });
});

test("a statement's own failure keeps its SQLSTATE and its connection", async () => {
  const pid = async () =>
    (await database.query<{ pid: number }>({ text: "select pg_backend_pid() as pid" })).rows[0]
      ?.pid;
  const before = await pid();
  await database.query(insert(1));
  await expect(database.query(insert(1))).rejects.toMatchObject({ code: "23505" });
  expect(await pid()).toBe(before);
});

test("a transaction commits what it did, or nothing of it", async () => {
  await database.transaction(async (tx) => {
    await tx.query(insert(1));
    await tx.query(insert(2));
  });
  const failed = database.transaction(async (tx) => {
    await tx.query(insert(3));
    throw new RangeError("changed its mind");
  });
  await expect(failed).rejects.toThrow(RangeError);
  await database.query(insert(4));
  expect(await ids()).toEqual([1, 2, 4]);
});

test("a transaction whose failed statement was ignored does not pass for committed", async () => {
  const work = database.transaction(async (tx) => {
    await tx.query(insert(1));
    await tx.query(insert(1)).catch(() => {});
  });
  await expect(work).rejects.toThrow("rolled back");
  expect(await ids()).toEqual([]);
});

test("D4: who waits too long for a connection is told that the database is unavailable", async () => {
  const release = Promise.withResolvers<void>();
  const holders = [1, 2].map(() => database.transaction(() => release.promise));
  await expect(database.query({ text: "select 1" })).rejects.toThrow(DatabaseUnavailable);
  release.resolve();
  await Promise.all(holders);
  await expect(database.query({ text: "select 1" })).resolves.toMatchObject({ rowCount: 1 });
});

test("D4: a statement that runs too long is cancelled", async () => {
  const query = database.query({ text: "select pg_sleep(60)" });
  await expect(query).rejects.toMatchObject({
    name: "DatabaseUnavailable",
    cause: { code: "57014" },
  });
});

test("D4: a server that falls silent is given up, and so is that connection", async () => {
  const impatient = createDatabase({
    connectionString: home.appUrl,
    log,
    max: 1,
    timeouts: { silenceSeconds: 0.2 },
  });
  const query = impatient.query({ text: "select pg_sleep(4)" });
  await expect(query).rejects.toThrow(DatabaseUnavailable);
  await expect(impatient.query({ text: "select 1" })).resolves.toMatchObject({ rowCount: 1 });
  await impatient.close();
});

test("D4: a statement that waits too long for a lock is cancelled", async () => {
  const locked = database.transaction(async (tx) => {
    await tx.query({ text: "lock table things" });
    await expect(database.query(insert(1))).rejects.toMatchObject({
      name: "DatabaseUnavailable",
      cause: { code: "55P03" },
    });
  });
  await locked;
});

test("D4: a transaction in which nothing happens is ended", async () => {
  const impatient = createDatabase({
    connectionString: home.appUrl,
    log,
    timeouts: { idleInTransactionSeconds: 0.1 },
  });
  const work = impatient.transaction(async (tx) => {
    await tx.query(insert(1));
    await expect.poll(transactions).toEqual([]);
  });
  await expect(work).rejects.toThrow(DatabaseUnavailable);
  expect(await ids()).toEqual([]);
  await impatient.close();
});

function transactions(): Promise<unknown[]> {
  return home.query(
    "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null",
  );
}

test("a connection that is cut in mid-query fails that query alone, and never the process", async () => {
  await expect(
    database.transaction(async (tx) => {
      await tx.query(insert(1));
      await home.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
      );
      await tx.query(insert(2));
    }),
  ).rejects.toThrow(DatabaseUnavailable);
  await database.query(insert(3));
  expect(await ids()).toEqual([3]);
});

test("an idle connection that is cut is replaced, and logged", async () => {
  await database.query({ text: "select 1" });
  await home.query(
    "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
  await expect.poll(() => lines.at(-1)?.["msg"]).toBe("an idle database connection was lost");
  await expect(database.query({ text: "select 1" })).resolves.toMatchObject({ rowCount: 1 });
});

test("a server that is not there is unavailable", async () => {
  for (const connectionString of [
    "postgresql://daykey_app@127.0.0.1:1/postgres",
    "postgresql://daykey_app@localhost:5432/postgres?host=/nonexistent",
  ]) {
    const nowhere = createDatabase({ connectionString, log });
    await expect(nowhere.query({ text: "select 1" })).rejects.toThrow(DatabaseUnavailable);
    await nowhere.close();
  }
});

describe("a database that cannot be used is told by its place and the reason, without its password", () => {
  const at = (change: (url: URL) => void): string => {
    const url = new URL(home.appUrl);
    change(url);
    return url.href;
  };
  test.each<[string, () => string, RegExp]>([
    [
      "a port where nothing listens",
      () => "postgresql://daykey_app:canary@127.0.0.1:1/daykey",
      /^The database at 127\.0\.0\.1:1\/daykey refuses connections: nothing listens there \(ECONNREFUSED\)\.$/,
    ],
    [
      "a host that does not exist",
      () => "postgresql://daykey_app:canary@nowhere.invalid/daykey",
      /^The database at nowhere\.invalid:5432\/daykey has a host name that .*\((ENOTFOUND|EAI_AGAIN)\)\.$/,
    ],
    [
      "a socket that is not there",
      () => "postgresql://daykey_app:canary@/daykey?host=/nowhere",
      /^The database at \/nowhere\/daykey has no socket there: it does not run \(ENOENT\)\.$/,
    ],
    [
      "a database that does not exist",
      () => at((url) => (url.pathname = "/missing")),
      /^The database at \S+\/missing has no database of this name \(3D000\)\.$/,
    ],
    [
      "a role that does not exist",
      () => at((url) => (url.username = "nobody_of_ours")),
      /^The database at \S+ refuses the role \(28000\)\.$/,
    ],
  ])("%s", async (_, connectionString, message) => {
    const other = createDatabase({ connectionString: connectionString(), log });
    const error: unknown = await other.query({ text: "select" }).catch((thrown: unknown) => thrown);
    await other.close();
    expect(error).toBeInstanceOf(DatabaseUnavailable);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain("canary");
  });
});
