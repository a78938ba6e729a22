/** When secrets and keys were last used: recorded now and then, never by a request. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createDatabase, type Database } from "@daykey/service/database/database";
import { createTestLog } from "@daykey/service/test/log";
import {
  assertionOf,
  createKey,
  createKeyClient,
  present,
  registerKeys,
} from "../../test/assertions.ts";
import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import { createLastUsed, type LastUsed } from "./last-used.ts";
import { createLastUsedStore } from "./last-used-store.ts";

let server: TestAuthServer;
let databases: Database[];
beforeAll(async () => {
  server = await startAuthServer();
  const { log } = createTestLog();
  const connectionString = server.database.appUrl;
  databases = [1, 2].map(() => createDatabase({ connectionString, max: 2, log }));
});
afterAll(async () => {
  await Promise.all(databases.map((database) => database.close()));
  await server.stop();
});

const NOW = 1_800_000_000;

function create(clock = (): number => NOW, database = databases[0] as Database): LastUsed {
  return createLastUsed({ store: createLastUsedStore(database), clock });
}

async function recorded(clientId: string): Promise<(number | null)[]> {
  const rows = await server.database.query<{ at: number | null }>(
    `select extract(epoch from last_used_at)::float8 as at from (
       select kid, last_used_at from daykey.secrets where client_id = $1
       union all select kid, last_used_at from daykey.client_keys where client_id = $1
       order by kid
     ) as used`,
    [clientId],
  );
  return rows.map(({ at }) => at);
}

test("of secrets and keys, in one statement; what is neither is passed over", async () => {
  const client = await server.createClient();
  await registerKeys(server, client.clientId, createKey("~key"));
  const statements: string[] = [];
  const database = databases[0] as Database;
  const counted: Database = {
    ...database,
    query(query) {
      statements.push(query.text);
      return database.query(query);
    },
  };
  const lastUsed = create(() => NOW, counted);
  for (const kid of [client.kid, "~key", "published", client.kid]) {
    lastUsed.used(client.clientId, kid);
  }
  expect(await recorded(client.clientId)).toEqual([null, null]);
  await lastUsed.write();
  expect(await recorded(client.clientId)).toEqual([NOW, NOW]);
  await lastUsed.write();
  expect(statements.length).toBe(1);
});

test("it only moves forward, whichever instance writes last", async () => {
  const { clientId, kid } = await server.createClient();
  for (const at of [NOW + 10, NOW, NOW + 20, NOW + 5]) {
    const lastUsed = create(() => at);
    lastUsed.used(clientId, kid);
    await lastUsed.write();
  }
  expect(await recorded(clientId)).toEqual([NOW + 20]);
});

test("two instances that write the same rows at once, in whatever order, do not deadlock", async () => {
  const { clientId } = await server.createClient();
  const secrets = await server.database.query<{ kid: string }>(
    `insert into daykey.secrets (client_id, kid, kind, salt, first_day, verifiers, expires_at)
     select client_id, lpad(to_hex(i), 8, '0'), kind, salt, first_day, '', expires_at
     from daykey.secrets, generate_series(1, 2000) as i where client_id = $1
     returning kid`,
    [clientId],
  );
  await server.database.query("analyze daykey.secrets");
  for (let round = 0; round < 10; round++) {
    await Promise.all(
      databases.map(async (database, i) => {
        const lastUsed = create(() => NOW + round + i / 2, database);
        const order = i === 0 ? secrets : secrets.toReversed();
        for (const { kid } of order) lastUsed.used(clientId, kid);
        await lastUsed.write();
      }),
    );
  }
  const [, ...times] = (await recorded(clientId)).toSorted((a, b) => Number(a) - Number(b));
  expect(times).toEqual(secrets.map(() => NOW + 9.5));
});

test("what could not be written is kept for the next time, the later use of the two", async () => {
  const { clientId, kid } = await server.createClient();
  let now = NOW;
  const lastUsed = create(() => now);
  lastUsed.used(clientId, kid);
  await server.database.query("alter table daykey.secrets rename to moved");
  await expect(lastUsed.write()).rejects.toThrow("daykey.secrets");
  await server.database.query("alter table daykey.moved rename to secrets");
  expect(await recorded(clientId)).toEqual([null]);
  await lastUsed.write();
  expect(await recorded(clientId)).toEqual([NOW]);
  now += 1;
  lastUsed.used(clientId, kid);
  await lastUsed.write();
  expect(await recorded(clientId)).toEqual([NOW + 1]);
});

test("it changes nothing that is cached: no client is read anew for it", async () => {
  const { clientId, kid } = await server.createClient();
  const change = "select change from daykey.clients where client_id = $1";
  const before = await server.database.query(change, [clientId]);
  const lastUsed = create();
  lastUsed.used(clientId, kid);
  await lastUsed.write();
  expect(await server.database.query(change, [clientId])).toEqual(before);
});

describe("by the server", () => {
  test("what was proved is recorded when it stops, and nothing by a request", async () => {
    const other = await startAuthServer({ database: server.database });
    const bySecret = await server.createClient();
    const byKey = await createKeyClient(server);
    const refused = await server.createClient();
    await other.look();
    const started = other.now();
    expect((await other.clientCredentials(bySecret)).status).toBe(200);
    const text = assertionOf(byKey.clientId, byKey.key, other.now());
    expect((await present(other, text)).status).toBe(200);
    expect((await present(other, text)).status).toBe(401);
    const wrong = { ...refused, root: "another" };
    expect((await other.clientCredentials(wrong)).status).toBe(401);
    await server.database.query("update daykey.clients set enabled = false where client_id = $1", [
      refused.clientId,
    ]);
    await other.look();
    expect((await other.clientCredentials(refused)).status).toBe(401);
    expect(await recorded(bySecret.clientId)).toEqual([null]);
    await other.stop();
    const [secret, key, none] = [
      await recorded(bySecret.clientId),
      await recorded(byKey.clientId),
      await recorded(refused.clientId),
    ];
    expect(none).toEqual([null]);
    expect(key.filter((at) => at !== null).length).toBe(1);
    for (const at of [secret[0], key.find((time) => time !== null)]) {
      expect(at).toBeGreaterThanOrEqual(started - 0.001);
      expect(at).toBeLessThanOrEqual(other.now());
    }
  });

  test("a table that cannot be written to does not keep it from stopping", async () => {
    const other = await startAuthServer({ database: server.database });
    const client = await server.createClient();
    await other.look();
    expect((await other.clientCredentials(client)).status).toBe(200);
    await server.database.query("alter table daykey.client_keys rename to moved");
    await other.stop();
    await server.database.query("alter table daykey.moved rename to client_keys");
    expect(other.lines).toContainEqual(expect.objectContaining({ event: "last_used_unwritten" }));
    expect(await recorded(client.clientId)).toEqual([null]);
  });
});
