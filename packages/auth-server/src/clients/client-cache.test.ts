/** The client cache over a real store whose reads are counted, and held where a race is meant. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { DAY_SECONDS, dayOf } from "@daykey/common/clock";
import { createDatabase, type Database } from "@daykey/service/database/database";
import { createTestLog } from "@daykey/service/test/log";
import { ISSUER, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import { type ClientCache, createClientCache } from "./client-cache.ts";
import { type ClientsStore, createClientsStore } from "./clients-store.ts";

const CAPACITY = 100;
const ENUMERATION_KEY = createHash("sha256").update("an enumeration key").digest();

let server: TestAuthServer;
let database: Database;
let store: ClientsStore;
beforeAll(async () => {
  server = await startAuthServer();
  const { log } = createTestLog();
  database = createDatabase({ connectionString: server.database.appUrl, log });
  store = createClientsStore(database, { issuer: ISSUER, longestGrantSeconds: 0 });
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

let now: number;
let reads: string[];
let held: PromiseWithResolvers<void> | undefined;
let failure: Error | undefined;
let isStale: boolean;
let cache: ClientCache;
beforeEach(() => {
  // Noon, so that no test meets midnight by chance.
  now = (dayOf(server.now()) + 0.5) * DAY_SECONDS;
  reads = [];
  held = undefined;
  failure = undefined;
  isStale = false;
  cache = createCache(ENUMERATION_KEY);
});

function createCache(enumerationKey: Buffer): ClientCache {
  return createClientCache({
    store: {
      ...store,
      async find(clientId, window) {
        reads.push(clientId);
        const found = await store.find(clientId, window);
        await held?.promise;
        if (failure) throw failure;
        return found;
      },
    },
    clock: () => now,
    enumerationKey,
    capacity: CAPACITY,
    isStale: () => isStale,
  });
}

async function disable(clientId: string): Promise<void> {
  await server.database.query("update daykey.clients set enabled = false where client_id = $1", [
    clientId,
  ]);
}

describe("what is held", () => {
  test("a client is read once, and so is the absence of one", async () => {
    const { clientId } = await server.createClient();
    for (const id of [clientId, "absent", clientId, "absent"]) await cache.find(id);
    expect(reads).toEqual([clientId, "absent"]);
  });

  test("those who ask at once share a read", async () => {
    const { clientId } = await server.createClient();
    const entries = await Promise.all(Array.from({ length: 20 }, () => cache.find(clientId)));
    expect(reads).toEqual([clientId]);
    expect(new Set(entries).size).toBe(1);
  });

  test("10,000 unknown ids push no client out", async () => {
    const { clientId } = await server.createClient();
    await cache.find(clientId);
    // No more at once than a busy machine answers within a connection's wait.
    for (let i = 0; i < 10_000; i += 40) {
      await Promise.all(Array.from({ length: 40 }, (_, j) => cache.find(`unknown-${i + j}`)));
    }
    expect(reads.length).toBe(10_001);
    await cache.find(clientId);
    expect(reads.length).toBe(10_001);
  });

  test("is bounded for clients too: the least used goes", async () => {
    const clients = [];
    for (let i = 0; i <= CAPACITY; i++) clients.push((await server.createClient()).clientId);
    for (const id of clients) await cache.find(id);
    await cache.find(clients.at(-1) ?? "");
    expect(reads).toEqual(clients);
    await cache.find(clients[0] ?? "");
    expect(reads).toEqual([...clients, clients[0]]);
  });

  test("nothing is served once the database was not read for too long", async () => {
    const { clientId } = await server.createClient();
    await cache.find(clientId);
    isStale = true;
    await expect(cache.find(clientId)).rejects.toMatchObject({
      code: "temporarily_unavailable",
      status: 503,
      detail: "cache_stale",
      headers: { "Retry-After": "2" },
    });
  });

  test("a failed read is not held", async () => {
    const { clientId } = await server.createClient();
    failure = new Error("canary");
    await expect(cache.find(clientId)).rejects.toThrow("canary");
    failure = undefined;
    expect((await cache.find(clientId)).client?.clientId).toBe(clientId);
  });
});

describe("an absent client looks like a present one (protocol §1, one answer)", () => {
  const shape = (entry: Awaited<ReturnType<ClientCache["find"]>>): object =>
    entry.slots.map(({ kid, salt, expiresAt, verifiers }) => ({
      kid: typeof kid,
      salt: salt.length,
      expiresAt: typeof expiresAt,
      verifiers: verifiers.map(({ length }) => length),
    }));

  test("two slots, each with a salt and the verifiers of three days", async () => {
    const { clientId } = await server.createClient();
    const slot = { kid: "string", salt: 32, expiresAt: "number", verifiers: [32, 32, 32] };
    expect(shape(await cache.find(clientId))).toEqual([slot, slot]);
    expect(shape(await cache.find("absent"))).toEqual([slot, slot]);
  });

  test("the fakes are the same on every instance, and differ by client, slot, day and key", async () => {
    const verifiers = async (of: ClientCache, id: string): Promise<string[]> =>
      (await of.find(id)).slots.flatMap((slot) => slot.verifiers.map((v) => v.toString("hex")));
    const fakes = await verifiers(cache, "absent");
    expect(await verifiers(createCache(ENUMERATION_KEY), "absent")).toEqual(fakes);
    const others = [
      ...(await verifiers(cache, "absent2")),
      ...(await verifiers(createCache(Buffer.alloc(32, 1)), "absent")),
    ];
    expect(new Set([...fakes, ...others]).size).toBe(fakes.length + others.length);
  });

  test("an empty slot proves nothing: it has expired and its kid is nobody's", async () => {
    const { slots } = await cache.find("absent");
    expect(slots.map(({ kid, expiresAt }) => [kid, expiresAt])).toEqual([
      ["", 0],
      ["", 0],
    ]);
  });
});

describe("what changes", () => {
  test("a client that is forgotten is read again before it is asked for", async () => {
    const { clientId } = await server.createClient();
    await cache.find(clientId);
    await disable(clientId);
    cache.forget([clientId, "never-asked"]);
    expect((await cache.find(clientId)).client?.enabled).toBe(false);
    expect(reads).toEqual([clientId, clientId]);
  });

  test("absence is forgotten too", async () => {
    const clientId = "registered-later";
    expect((await cache.find(clientId)).client).toBeUndefined();
    await server.createClient({ clientId });
    cache.forget([clientId]);
    expect((await cache.find(clientId)).client?.clientId).toBe(clientId);
  });

  test("a change during a read is not lost: what was read before it is not held", async () => {
    const { clientId } = await server.createClient();
    held = Promise.withResolvers();
    const before = cache.find(clientId);
    await expect.poll(() => reads.length).toBe(1);
    await disable(clientId);
    const { resolve } = held;
    held = undefined;
    cache.forget([clientId]);
    const after = cache.find(clientId);
    resolve();
    expect((await before).client?.clientId).toBe(clientId);
    expect((await after).client?.enabled).toBe(false);
    expect((await cache.find(clientId)).client?.enabled).toBe(false);
    expect(reads.length).toBe(2);
  });

  test("everything can be forgotten, with the reads under way", async () => {
    const { clientId } = await server.createClient();
    held = Promise.withResolvers();
    const before = cache.find(clientId);
    cache.forgetAll();
    held.resolve();
    await before;
    await disable(clientId);
    expect((await cache.find(clientId)).client?.enabled).toBe(false);
  });
});

describe("days", () => {
  const entryDay = async (id: string): Promise<number> =>
    (await cache.find(id)).firstDay + 1 - dayOf(now);

  test("yesterday's entry serves, while it is read again behind it", async () => {
    const { clientId } = await server.createClient();
    expect(await entryDay(clientId)).toBe(0);
    now += DAY_SECONDS;
    expect(await entryDay(clientId)).toBe(-1);
    await expect.poll(() => entryDay(clientId)).toBe(0);
    expect(reads.length).toBe(2);
  });

  test.each([
    ["an entry without the day 300 s ahead", 1.5 * DAY_SECONDS - 300],
    ["an entry of days ago", 5 * DAY_SECONDS],
    ["an entry of the future, the clock having gone back", -3 * DAY_SECONDS],
  ])("%s does not serve", async (_name, seconds) => {
    const { clientId } = await server.createClient();
    await cache.find(clientId);
    now += seconds;
    expect(await entryDay(clientId)).toBe(0);
    expect(reads.length).toBe(2);
  });
});
