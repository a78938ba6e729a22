/** Caches follow the database: by notification, by poll, after a restore. */
import { afterEach, expect, inject, test, vi } from "vitest";
import { createDatabase } from "@daykey/service/database/database";
import { createTestDatabase } from "@daykey/service/test/database";
import { createTestLog } from "@daykey/service/test/log";
import { startAuthServer, type TestAuthServer, type TestClient } from "../../test/auth-server.ts";
import { createChangesStore } from "./changes-store.ts";
import { startChangeWatcher } from "./watcher.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const stop of stops.splice(0).toReversed()) await stop();
});

async function start(options: Parameters<typeof startAuthServer>[0] = {}): Promise<TestAuthServer> {
  const server = await startAuthServer(options);
  stops.push(() => server.stop());
  return server;
}

async function statusOf(server: TestAuthServer, client: TestClient): Promise<number> {
  return (await server.clientCredentials(client)).status;
}

/** A client that the server has in memory. */
async function cachedClient(server: TestAuthServer): Promise<TestClient> {
  const client = await server.createClient();
  await server.look();
  expect(await statusOf(server, client)).toBe(200);
  return client;
}

async function disable(server: TestAuthServer, client: TestClient): Promise<void> {
  await server.database.query("update daykey.clients set enabled = false where client_id = $1", [
    client.clientId,
  ]);
}

/** Asks until the server has noticed; the test's own time limit bounds it. */
async function expectRefusedSoon(server: TestAuthServer, client: TestClient): Promise<void> {
  let status;
  do status = await statusOf(server, client);
  while (status === 200);
  expect(status).toBe(401);
}

test("a notification is enough: the change is seen without any poll", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const server = await start();
  const client = await cachedClient(server);
  await disable(server, client);
  await expectRefusedSoon(server, client);
});

test("a missed notification is made good by the poll", async () => {
  // Notifications stay within a database: listening at another one hears nothing.
  const server = await start({ config: { databaseDirectUrl: inject("cluster").adminUrl } });
  const client = await cachedClient(server);
  await disable(server, client);
  await expectRefusedSoon(server, client);
});

/** Disables the client as a restore does: no number of a change tells it. */
function restored(client: TestClient, counter: string): string {
  return `begin;
    set local session_replication_role = replica;
    update daykey.clients set enabled = false where client_id = '${client.clientId}';
    ${counter};
    commit;`;
}

test("the counter gone back, as after a restore: everything is forgotten", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const server = await start();
  const client = await cachedClient(server);
  await server.database.query(restored(client, "select 1"));
  await server.look();
  expect(await statusOf(server, client)).toBe(200);
  await server.database.query("update daykey.change_counter set last = last - 1");
  await server.look();
  expect(await statusOf(server, client)).toBe(401);
});

test("a restored counter that has overtaken what was seen: everything is forgotten", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const server = await start();
  const client = await cachedClient(server);
  const replaced =
    "truncate daykey.change_counter; insert into daykey.change_counter (last) values (100000)";
  await server.database.query(restored(client, replaced));
  await server.look();
  expect(await statusOf(server, client)).toBe(401);
});

test("a change of a resource is seen", async () => {
  const server = await start();
  const client = await cachedClient(server);
  await server.database.query(
    "update daykey.resources set scopes = '{time:read}' where uri = 'https://api.example.test'",
  );
  await server.look();
  expect((await server.clientCredentials(client)).body["scope"]).toBe("time:read");
});

test("a failed read loses nothing: what it did not finish is read again", async () => {
  const { log, lines } = createTestLog();
  const rows = await createTestDatabase();
  const database = createDatabase({ connectionString: rows.appUrl, log });
  const forgotten: (readonly string[])[] = [];
  let failures = 0;
  const watcher = await startChangeWatcher({
    store: createChangesStore(database),
    handlers: {
      clientsChanged: (clientIds) => void forgotten.push(clientIds),
      everythingChanged: () => void forgotten.push(["everything"]),
      everyLook: () => Promise.resolve(),
      reload: () => (failures-- > 0 ? Promise.reject(new Error("no")) : Promise.resolve()),
    },
    clock: () => Date.now() / 1000,
    log,
    staleAfterSeconds: 60,
  });
  stops.push(async () => {
    watcher.stop();
    await database.close();
    await rows.drop();
  });
  forgotten.length = 0;
  await rows.query(
    `insert into daykey.clients (client_id, name, auth_methods, grant_types, scopes, resources)
     values ('a', 'a', '{}', '{}', '{}', '{}');
     update daykey.resources set name = 'other'`,
  );
  // It is read twice in a look.
  failures = 2;
  const age = watcher.ageSeconds();
  await watcher.look();
  expect(forgotten).toEqual([["a"], ["a"]]);
  expect(watcher.ageSeconds()).toBeGreaterThan(age);
  expect(lines.at(-1)).toMatchObject({ event: "changes_unread", level: "warn" });
  await watcher.look();
  await watcher.look();
  expect(forgotten.slice(0, 4)).toEqual([["a"], ["a"], ["a"], []]);
});

test("calls while a read is under way share the one that follows it", async () => {
  const { log } = createTestLog();
  const rows = await createTestDatabase();
  const database = createDatabase({ connectionString: rows.appUrl, log });
  const store = createChangesStore(database);
  let reads = 0;
  const watcher = await startChangeWatcher({
    store: { since: (change) => (reads++, store.since(change)) },
    handlers: {
      clientsChanged() {},
      everythingChanged() {},
      everyLook: () => Promise.resolve(),
      reload: () => Promise.resolve(),
    },
    clock: () => Date.now() / 1000,
    log,
    staleAfterSeconds: 60,
  });
  stops.push(async () => {
    watcher.stop();
    await database.close();
    await rows.drop();
  });
  reads = 0;
  await Promise.all(Array.from({ length: 20 }, () => watcher.look()));
  expect(reads).toBeLessThanOrEqual(2);
});

test.each([
  ["clients", "update daykey.clients set name = name || ' changed'"],
  ["secrets", "update daykey.secrets set expires_at = expires_at + interval '1 day'"],
  ["revocations", "update daykey.revocations set expires_at = expires_at + interval '1 day'"],
])("a change of many %s takes one number, and everyone sees all of it", async (_table, bulk) => {
  const server = await start();
  const client = await cachedClient(server);
  await server.database.query(
    `insert into daykey.clients (client_id, name, auth_methods, grant_types, scopes, resources)
     select 'many-' || i, 'many', '{}', '{}', '{}', '{}' from generate_series(1, 2000) i;
     insert into daykey.secrets (client_id, kid, kind, salt, first_day, verifiers, expires_at)
     select 'many-' || i, 'abcdefgh', 'verifiers', repeat('0', 32), current_date, '', now() + interval '1 day'
     from generate_series(1, 2000) i;
     insert into daykey.revocations (kind, subject, expires_at)
     select 'grant', 'many-' || i, now() + interval '1 day' from generate_series(1, 2000) i`,
  );
  await server.look();
  const last = async (): Promise<number> => {
    const [row] = await server.database.query<{ last: number }>(
      "select last::int as last from daykey.change_counter",
    );
    return row?.last ?? 0;
  };
  const before = await last();
  await server.database.query(
    `begin; ${bulk}; update daykey.clients set enabled = false where client_id = '${client.clientId}'; commit`,
  );
  expect((await last()) - before).toBe(1);
  await server.look();
  expect(await statusOf(server, client)).toBe(401);
});

test("a read that fails once is tried again before the look ends", async () => {
  const rows = await createTestDatabase();
  const { log, lines } = createTestLog();
  const database = createDatabase({ connectionString: rows.appUrl, log });
  stops.push(async () => {
    await database.close();
    await rows.drop();
  });
  const store = createChangesStore(database);
  let failures = 0;
  let looks = 0;
  const watcher = await startChangeWatcher({
    store: {
      async since(change) {
        if (failures-- > 0) throw new Error("connection cut");
        return store.since(change);
      },
    },
    handlers: {
      clientsChanged() {},
      everythingChanged() {},
      everyLook: async () => void (looks += 1),
      reload: async () => {},
    },
    clock: () => Date.now() / 1000,
    log,
    staleAfterSeconds: 60,
  });
  stops.push(async () => watcher.stop());
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  failures = 1;
  const before = looks;
  await watcher.look();
  expect(looks).toBeGreaterThan(before);
  expect(lines.filter(({ event }) => event === "changes_unread")).toHaveLength(0);
  failures = 2;
  await watcher.look();
  const failed = looks;
  await vi.waitFor(() => expect(looks).toBeGreaterThan(failed));
});
