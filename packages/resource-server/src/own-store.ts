/**
 * Where this server keeps what must outlive a request: counters of quotas, and nonces of signatures. In
 * PostgreSQL or Redis they are shared by all instances and outlive them; without either they are in this
 * process's memory.
 */
import type { Clock } from "@daykey/common/clock";
import { createPostgresStore } from "@daykey/guard/postgres-store";
import { createRedisStore } from "@daykey/guard/redis-store";
import { createMemoryStore, type GuardStore } from "@daykey/guard/store";
import { createDatabase, type PoolState } from "@daykey/service/database/database";
import { startLooks } from "@daykey/service/database/looks";
import type { Log } from "@daykey/service/observe/log";
import type { Tracing } from "@daykey/service/observe/tracing";
import { requireMigrated } from "./migrate.ts";
import { connectRedis } from "@daykey/service/database/redis";

export type OwnStoreConfig =
  | { kind: "memory" }
  | { kind: "postgresql"; url: string; pool: number; preparedStatements: boolean }
  | { kind: "redis"; url: string };

export interface OwnStore extends GuardStore {
  /** Only for PostgreSQL. */
  pool?: () => PoolState;
  /** What is wrong with Redis, in a few words; absent without Redis. */
  redisFault?: () => string | undefined;
  /** The same for PostgreSQL. */
  databaseFault?: () => string | undefined;
  close(): Promise<void>;
}

/** A request waits for these, so they are short. */
const TIMEOUTS = { statementSeconds: 1, lockSeconds: 1, silenceSeconds: 2 };

/**
 * @throws {DatabaseUnavailable}, {MigrationError} or {RedisUnavailable} when it cannot be used; later
 *   outages are survived
 */
export async function openOwnStore(
  config: OwnStoreConfig,
  { clock, log, tracing }: { clock: Clock; log: Log; tracing?: Tracing | undefined },
): Promise<OwnStore> {
  if (config.kind === "postgresql") return openPostgres(config, log, tracing);
  if (config.kind === "redis") {
    const redis = await connectRedis({ url: config.url, log });
    return {
      ...createRedisStore(redis, clock),
      redisFault: redis.fault,
      close: () => Promise.resolve(redis.close()),
    };
  }
  log.warn(
    { event: "memory_store" },
    "neither DATABASE_URL nor REDIS_URL is set: quotas and nonces are this process's own",
  );
  return {
    ...createMemoryStore(clock),
    close: () => Promise.resolve(),
  };
}

async function openPostgres(
  { url, pool, preparedStatements }: OwnStoreConfig & { kind: "postgresql" },
  log: Log,
  tracing: Tracing | undefined,
): Promise<OwnStore> {
  const database = createDatabase({
    connectionString: url,
    max: pool,
    preparedStatements,
    timeouts: TIMEOUTS,
    log,
    tracing,
  });
  try {
    await requireMigrated(database);
  } catch (error) {
    await database.close();
    throw error;
  }
  const looks = startLooks(database, { log });
  return {
    ...createPostgresStore(database),
    pool: database.pool,
    databaseFault: looks.fault,
    close() {
      looks.stop();
      return database.close();
    },
  };
}
