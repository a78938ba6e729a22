/** Where used nonces are remembered: in PostgreSQL, or by setting in Redis. */
import type { Clock } from "@daykey/common/clock";
import type { Database } from "@daykey/service/database/database";
import type { Log } from "@daykey/service/observe/log";
import { connectRedis } from "@daykey/service/database/redis";
import { createRedisReplayStore, createReplayStore, type ReplayStore } from "./replay-store.ts";

export interface OpenReplayStore extends ReplayStore {
  /** Reads what it depends on anew, as the change watcher says. */
  reload(): Promise<void>;
  /** What is wrong with Redis, in a few words; absent without Redis. */
  fault?: () => string | undefined;
  close(): void;
}

/** @throws {RedisUnavailable} when Redis cannot be reached at the start; later outages are survived */
export async function openReplayStore({
  database,
  redisUrl,
  readRestoredAt,
  clock,
  log,
}: {
  database: Database;
  redisUrl: string | undefined;
  readRestoredAt: () => Promise<number>;
  clock: Clock;
  log: Log;
}): Promise<OpenReplayStore> {
  if (redisUrl === undefined) {
    return { ...createReplayStore(database), reload: () => Promise.resolve(), close: () => {} };
  }
  let restoredAt = await readRestoredAt();
  const redis = await connectRedis({ url: redisUrl, log });
  return {
    ...createRedisReplayStore(redis, { restoredAt: () => restoredAt, clock }),
    async reload() {
      restoredAt = await readRestoredAt();
    },
    fault: redis.fault,
    close: redis.close,
  };
}
