/** Nonces of signed requests: each works once, whichever store holds them. */
import { createDatabase } from "@daykey/service/database/database";
import { createTestDatabase } from "@daykey/service/test/database";
import { createTestLog } from "@daykey/service/test/log";
import { machineTool } from "@daykey/service/test/machine-tool";
import { describe, expect, onTestFinished, test } from "vitest";
import { startRedis } from "@daykey/service/test/redis-server";
import { connectRedis } from "@daykey/service/database/redis";
import { createMemoryNonceStore, NoncesUnavailable, type NonceStore } from "./nonce-store.ts";
import { createPostgresStore } from "../postgres-store.ts";
import { createRedisStore } from "../redis-store.ts";

const { log } = createTestLog();
const redisProgram = machineTool("redis-server");
const now = (): number => Date.now() / 1000;

interface Opened {
  /** Two instances on one store. */
  stores: readonly [NonceStore, NonceStore];
  /** Ends the store under them. */
  breakIt?: () => Promise<void>;
}

const STORES: Record<string, () => Promise<Opened>> = {
  async postgresql() {
    const database = await createTestDatabase();
    const pools = [1, 2].map(() =>
      createDatabase({ connectionString: database.resourceUrl, max: 2, log }),
    );
    onTestFinished(async () => {
      await Promise.all(pools.map((pool) => pool.close()));
      await database.drop();
    });
    const breakIt = async () => {
      await database.query("drop table daykey_resource.nonces");
    };
    const stores = pools.map((pool) => createPostgresStore(pool).nonces) as [
      NonceStore,
      NonceStore,
    ];
    return { stores, breakIt };
  },
  async redis() {
    const server = await startRedis(redisProgram ?? "");
    const connections = await Promise.all([1, 2].map(() => connectRedis({ url: server.url, log })));
    onTestFinished(async () => {
      for (const connection of connections) connection.close();
      await server.kill();
    });
    const stores = connections.map((each) => createRedisStore(each, now).nonces);
    return { stores: stores as [NonceStore, NonceStore], breakIt: server.kill };
  },
  memory() {
    const store = createMemoryNonceStore(now);
    return Promise.resolve({ stores: [store, store] });
  },
};
const here = Object.entries(STORES).filter(
  ([name]) => name !== "redis" || redisProgram !== undefined,
);

describe.each(here)("%s", (_name, open) => {
  test("a nonce works once at one of two instances; another key's, and another, are others", async () => {
    const { stores } = await open();
    const use = (index: number, key: string, nonce: string) =>
      (stores[index % 2] as NonceStore).use(key, nonce, now() + 60);
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, index) => use(index, "k", "n")),
    );
    expect(answers.filter((isNew) => isNew).length).toBe(1);
    expect(await Promise.all([use(0, "k2", "n"), use(1, "k", "n2"), use(0, "k", "n")])).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("one that is sent again and again, even at once, takes no place from another", async () => {
    const { stores } = await open();
    const [store] = stores;
    const flood = Promise.allSettled(
      Array.from({ length: 1000 }, () => store.use("k", "n", now() + 60)),
    );
    expect(await store.use("k", "other", now() + 60)).toBe(true);
    const isNew = (await flood).map((each) => each.status === "fulfilled" && each.value);
    expect(isNew.filter((each) => each).length).toBe(1);
  });

  test("cleaning forgets none that may still be used, within 300 s of its end", async () => {
    const { stores } = await open();
    const [store] = stores;
    const cases = [60, 0, -299].map((seconds) => [String(seconds), now() + seconds] as const);
    for (const [nonce, expiresAt] of cases) await store.use("k", nonce, expiresAt);
    await store.clean();
    for (const [nonce, expiresAt] of cases) {
      expect(await store.use("k", nonce, expiresAt), nonce).toBe(false);
    }
  });

  test("a store that is down lets nothing through", async () => {
    const { stores, breakIt } = await open();
    await breakIt?.();
    const outcome = await stores[0].use("k", "n", now() + 60).catch((error: unknown) => error);
    expect(outcome instanceof NoncesUnavailable ? "refused" : outcome).toBe(
      breakIt ? "refused" : true,
    );
  });
});

test("what is long over is forgotten: rows, and memory", async () => {
  const database = await createTestDatabase();
  const pool = createDatabase({ connectionString: database.resourceUrl, log });
  onTestFinished(async () => {
    await pool.close();
    await database.drop();
  });
  for (const store of [createPostgresStore(pool).nonces, createMemoryNonceStore(now)]) {
    await store.use("k", "n", now() - 301);
    await store.clean();
    expect(await store.use("k", "n", now() - 301)).toBe(true);
  }
});
