/** One list closes what a server has opened, in the reverse order, when its start fails and when it stops. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { createTestDatabase, type TestDatabase } from "@daykey/service/test/database";
import { machineTool } from "@daykey/service/test/machine-tool";
import { type RedisServer, startRedis } from "@daykey/service/test/redis-server";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { startAuthServer, type TestAuthServer } from "../test/auth-server.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../test/database-proxy.ts";
import type { AuthServerConfig } from "./config.ts";

const program = machineTool("redis-server");

let database: TestDatabase;
let proxy: DatabaseProxy;
let redis: RedisServer | undefined;
let settings: Partial<AuthServerConfig>;
beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await startDatabaseProxy(database.appUrl);
  if (program !== undefined) redis = await startRedis(program);
  settings = { databaseUrl: proxy.url, databaseDirectUrl: proxy.url, redisUrl: redis?.url };
  // Makes the keys, so that every later start does the same.
  await (await start()).stop();
});
afterAll(async () => {
  await redis?.kill();
  await proxy?.stop();
  await database?.drop();
});
beforeEach(() => {
  proxy.spoilStatement(0);
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const start = (config: Partial<AuthServerConfig> = {}): Promise<TestAuthServer> =>
  startAuthServer({ database, config: { ...settings, ...config } });

type Handles = Readonly<Record<string, number>>;

/** What keeps a process alive, by kind: listeners, and connections to PostgreSQL and Redis. */
function openHandles(): Handles {
  const kinds = process.getActiveResourcesInfo().filter((kind) => /Server|Socket|Pipe/.test(kind));
  return Object.fromEntries(kinds.map((kind) => [kind, kinds.filter((k) => k === kind).length]));
}

/** Nothing of a server is left: no interval, no connection and no listener. */
async function expectNothingOpen(before: Handles): Promise<void> {
  expect(vi.getTimerCount()).toBe(0);
  await expect.poll(proxy.connections).toBe(0);
  // What the test itself has open may have been closed meanwhile.
  const more = () => Object.entries(openHandles()).filter(([kind, n]) => n > (before[kind] ?? 0));
  await expect.poll(more).toEqual([]);
}

test(
  "whichever statement of the start fails, nothing stays open",
  { timeout: 120_000 },
  async () => {
    const before = openHandles();
    let failures = 0;
    for (let n = 1; ; n++) {
      proxy.spoilStatement(n);
      const failed = await start().then(
        async (server) => {
          await server.stop();
          return undefined;
        },
        (error: unknown) => error,
      );
      await expectNothingOpen(before);
      if (failed !== undefined) failures += 1;
      else if (proxy.statements() < n) break;
    }
    expect(failures).toBeGreaterThan(10);
  },
);

test.each([
  ["PORT", "public"],
  ["PRIVATE_PORT", "private"],
])("%s in use: nothing stays open", async (setting, listener) => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const before = openHandles();
  await expect(start({ [listener]: { host: "127.0.0.1", port } })).rejects.toThrow(
    `Port ${port} of 127.0.0.1 is in use by another process. Set ${setting} to another port.`,
  );
  await expectNothingOpen(before);
  other.close();
});

test("Redis cannot be reached: nothing stays open", async () => {
  const before = openHandles();
  await expect(start({ redisUrl: "redis://127.0.0.1:1" })).rejects.toThrow("Redis");
  await expectNothingOpen(before);
});

test("a stop closes what was opened in the reverse order, and what follows a failure too", async () => {
  const closed: number[] = [];
  let opened = 0;
  const { defer } = AsyncDisposableStack.prototype;
  vi.spyOn(AsyncDisposableStack.prototype, "defer").mockImplementation(function spied(
    this: AsyncDisposableStack,
    close,
  ) {
    const place = opened++;
    defer.call(this, async () => {
      closed.push(place);
      await close();
      if (place === 3) throw new Error("canary");
    });
  });
  const before = openHandles();
  const server = await start();
  await expect(server.stop()).rejects.toThrow("canary");
  expect(closed).toEqual(Array.from({ length: opened }, (_, i) => opened - 1 - i));
  expect(opened).toBeGreaterThanOrEqual(7);
  await expectNothingOpen(before);
});

test("while requests are still answered, a stopping server hears of changes", async () => {
  const server = await start({ stopDelaySeconds: 1 });
  const client = await server.createClient();
  await server.look();
  expect((await server.clientCredentials(client)).status).toBe(200);
  const stopped = server.stop();
  await database.query("update daykey.clients set enabled = false where client_id = $1", [
    client.clientId,
  ]);
  await expect
    .poll(async () => (await server.clientCredentials(client)).status, { interval: 20 })
    .toBe(401);
  await stopped;
});
