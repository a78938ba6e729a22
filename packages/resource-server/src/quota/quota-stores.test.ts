/** The counters themselves: exact under concurrency, whichever store holds them. */
import { createDatabase } from "@daykey/service/database/database";
import { createTestDatabase } from "@daykey/service/test/database";
import { createTestLog } from "@daykey/service/test/log";
import { machineTool } from "@daykey/service/test/machine-tool";
import { describe, expect, onTestFinished, test } from "vitest";
import { startRedis } from "@daykey/service/test/redis-server";
import { until } from "../../test/until.ts";
import { connectRedis } from "@daykey/service/database/redis";
import { RedisUnavailable } from "@daykey/service/database/redis-unavailable";
import { createMemoryQuota } from "@daykey/guard/quota/memory-quota";
import type { Window } from "@daykey/guard/quota/policy";
import type { QuotaStore } from "@daykey/guard/quota/quota-store";
import { createPostgresStore } from "@daykey/guard/postgres-store";
import { createRedisStore } from "@daykey/guard/redis-store";

const { log } = createTestLog();
const redisProgram = machineTool("redis-server");

const INSTANCES = [0, 1, 2, 3, 4, 5, 6, 7];

/** As many instances on one store. */
const STORES: Record<string, () => Promise<readonly QuotaStore[]>> = {
  async postgresql() {
    const database = await createTestDatabase();
    const pools = INSTANCES.map(() =>
      createDatabase({ connectionString: database.resourceUrl, max: 1, log }),
    );
    onTestFinished(async () => {
      await Promise.all(pools.map((pool) => pool.close()));
      await database.drop();
    });
    return pools.map((pool) => createPostgresStore(pool).quotas);
  },
  async redis() {
    const server = await startRedis(redisProgram ?? "");
    const connections = await Promise.all(
      INSTANCES.map(() => connectRedis({ url: server.url, log })),
    );
    onTestFinished(async () => {
      for (const connection of connections) connection.close();
      await server.kill();
    });
    return connections.map((each) => createRedisStore(each, () => Date.now() / 1000).quotas);
  },
  memory() {
    const store = createMemoryQuota(() => Date.now() / 1000);
    return Promise.resolve(INSTANCES.map(() => store));
  },
};
const here = Object.entries(STORES).filter(
  ([name]) => name !== "redis" || redisProgram !== undefined,
);

const day = (counter: string, limit: number): Window => ({
  counter: `{c} ${counter}`,
  policy: counter,
  limit,
  seconds: 86_400,
});

/** What each counter has admitted: a limit that refuses all tells without counting. */
async function usedOf(store: QuotaStore, windows: readonly Window[]): Promise<number[]> {
  const { counts } = await store.charge(windows.map((window) => ({ ...window, limit: 0 })));
  return counts.map((count) => count?.used ?? NaN);
}

describe.each(here)("%s", (_name, open) => {
  test("V11: whatever windows requests have in common, each admits its limit and refusals cost nothing", async () => {
    const stores = await open();
    const windows = [day("a", 7), day("b", 20), day("c", 40), day("d", 3), day("e", 60)];
    // Every non-empty choice of windows, in different orders, ten times.
    const choices = Array.from({ length: 310 }, (_, index) => {
      const chosen = windows.filter((_window, bit) => ((index % 31) + 1) & (1 << bit));
      return index % 2 === 0 ? chosen : chosen.toReversed();
    });
    const results = await Promise.all(
      choices.map((chosen, index) => (stores[index % stores.length] as QuotaStore).charge(chosen)),
    );
    const admitted = choices.filter((_chosen, index) => results[index]?.isAdmitted);
    const used = await usedOf(stores[0] as QuotaStore, windows);
    windows.forEach((window, index) => {
      const through = admitted.filter((chosen) => chosen.includes(window)).length;
      expect(used[index], window.counter).toBe(through);
      expect(through, window.counter).toBeLessThanOrEqual(window.limit);
    });
    // Nobody was refused while all of its windows had room to the end.
    choices.forEach((chosen, index) => {
      if (results[index]?.isAdmitted) return;
      expect(chosen.some((window) => used[windows.indexOf(window)] === window.limit)).toBe(true);
    });
  });

  test("V11: instances that charge at once count one after the other", async () => {
    const stores = await open();
    const windows = [day("a", 150), day("b", 1000)];
    let admitted = 0;
    await Promise.all(
      stores.map(async (store, index) => {
        for (let call = 1; call <= 30; call++) {
          const order = (index + call) % 2 === 0 ? windows : windows.toReversed();
          if ((await store.charge(order)).isAdmitted) admitted += 1;
        }
      }),
    );
    expect([admitted, ...(await usedOf(stores[0] as QuotaStore, windows))]).toEqual([
      150, 150, 150,
    ]);
  });

  test("a count tells how long its window lasts, to the next whole one", async () => {
    const store = (await open())[0] as QuotaStore;
    for (const seconds of [1, 60, 3600, 86_400]) {
      const window = { ...day(String(seconds), 5), seconds };
      const { counts } = await store.charge([window]);
      const [count] = counts;
      expect(count?.used).toBe(1);
      expect(count?.resetSeconds).toBeGreaterThan(0);
      expect(count?.resetSeconds).toBeLessThanOrEqual(seconds);
      // By the same clock here, perhaps with a boundary in between.
      const off = Math.abs(
        (count?.resetSeconds ?? 0) - (seconds - ((Date.now() / 1000) % seconds)),
      );
      expect(Math.min(off, seconds - off)).toBeLessThan(10);
    }
  });

  test("a limit that was lowered holds at once, one that was raised gives the rest", async () => {
    const store = (await open())[0] as QuotaStore;
    const statuses = [];
    for (const limit of [3, 3, 1, 2, 3, 3, 4]) {
      statuses.push((await store.charge([day("x", limit)])).isAdmitted);
    }
    expect(statuses).toEqual([true, true, false, false, true, false, true]);
  });
});

test("rows of windows that are over are deleted, others are not", async () => {
  const database = await createTestDatabase();
  const pool = createDatabase({ connectionString: database.resourceUrl, log });
  onTestFinished(async () => {
    await pool.close();
    await database.drop();
  });
  const store = createPostgresStore(pool).quotas;
  await store.charge([day("old", 5)]);
  await database.query(
    "update daykey_resource.quota_counters set expires_at = now() - interval '2 minutes'",
  );
  await store.charge([day("new", 5)]);
  await store.clean();
  expect(await database.query("select counter from daykey_resource.quota_counters")).toEqual([
    { counter: "{c} new" },
  ]);
});

describe.skipIf(redisProgram === undefined)("Redis in an outage", () => {
  test("killed or frozen it is told within a second, and used again when it is back", async () => {
    const server = await startRedis(redisProgram ?? "");
    const connection = await connectRedis({ url: server.url, log });
    onTestFinished(async () => {
      connection.close();
      server.thaw();
      await server.kill();
    });
    const store = createRedisStore(connection, () => Date.now() / 1000).quotas;
    const charge = () => store.charge([day("x", 5)]);
    const back = async (): Promise<number | undefined> => {
      let used: number | undefined;
      await until("it counts", async () => {
        used = (await charge().catch(() => undefined))?.counts[0]?.used;
        return used !== undefined;
      });
      return used;
    };
    expect(await back()).toBe(1);
    server.freeze();
    await expect(charge()).rejects.toThrow(RedisUnavailable);
    server.thaw();
    // What it was told while frozen, it has done.
    expect(await back()).toBeGreaterThanOrEqual(2);
    await server.kill();
    await expect(charge()).rejects.toThrow(RedisUnavailable);
    await server.restart();
    expect(await back()).toBe(1);
  });

  test("a server does not start without the Redis it is told to use", async () => {
    const url = "redis://:canary@127.0.0.1:1";
    const error: unknown = await connectRedis({ url, log }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RedisUnavailable);
    expect(String(error)).not.toContain("canary");
  });
});
