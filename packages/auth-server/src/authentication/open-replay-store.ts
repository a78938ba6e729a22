/** Where used nonces are remembered: in PostgreSQL, or by setting in Redis. */
import type { Clock } from "@daykey/common/clock";
import type { Database } from "@daykey/service/database/database";
import type { Redis } from "@daykey/service/database/redis";
import { createRedisReplayStore, createReplayStore, type ReplayStore } from "./replay-store.ts";

export interface OpenReplayStore extends ReplayStore {
  /** Reads what it depends on anew, as the change watcher says. */
  reload(): Promise<void>;
}

export async function openReplayStore({
  database,
  redis,
  readRestoredAt,
  clock,
}: {
  database: Database;
  redis: Redis | undefined;
  readRestoredAt: () => Promise<number>;
  clock: Clock;
}): Promise<OpenReplayStore> {
  if (!redis) return { ...createReplayStore(database), reload: () => Promise.resolve() };
  let restoredAt = await readRestoredAt();
  return {
    ...createRedisReplayStore(redis, { restoredAt: () => restoredAt, clock }),
    async reload() {
      restoredAt = await readRestoredAt();
    },
  };
}
