/** What the features of this server stand on. `server.ts` lays it before it composes any of them. */
import type { Clock } from "@daykey/common/clock";
import { createDatabase, type Database } from "@daykey/service/database/database";
import { connectRedis, type Redis } from "@daykey/service/database/redis";
import type { Log } from "@daykey/service/observe/log";
import type { Surroundings } from "@daykey/service/process/run-server";
import type { AuthServerConfig } from "./config.ts";
import { requireMigrated } from "./migrate.ts";

/** A feature's `compose.ts` names the parts that it uses: `Pick<Ground, "database" | "clock">`. */
export interface Ground {
  settings: AuthServerConfig;
  issuer: string;
  database: Database;
  /** What must work once and what is counted stands there, where it is set. */
  redis: Redis | undefined;
  /** How long an entry about a revocation is kept: longer than any access token lives. */
  newsSeconds: number;
  clock: Clock;
  log: Log;
  /**
   * The one list of what is open. Whoever opens something adds how to close it. The list is worked off
   * from its end, when the server stops and when its start fails.
   */
  opened: AsyncDisposableStack;
}

/** Entries about revocations are kept this much longer than the tokens that they end, as clocks differ. */
const NEWS_MARGIN_SECONDS = 300;

/**
 * @throws {MigrationError} on a database without its schema, {RedisUnavailable} when Redis cannot be reached now;
 *   later outages are survived
 */
export async function layGround(
  settings: AuthServerConfig,
  { clock, log, tracing }: Surroundings,
  opened: AsyncDisposableStack,
): Promise<Ground> {
  const database = createDatabase({
    connectionString: settings.databaseUrl,
    max: settings.databasePool,
    preparedStatements: settings.preparedStatements,
    log,
    tracing,
  });
  opened.defer(database.close);
  await requireMigrated(database);
  const { redisUrl } = settings;
  const redis = redisUrl === undefined ? undefined : await connectRedis({ url: redisUrl, log });
  opened.defer(() => redis?.close());
  const newsSeconds = settings.accessTokenMaxSeconds + NEWS_MARGIN_SECONDS;
  return { settings, issuer: settings.issuer, database, redis, newsSeconds, clock, log, opened };
}
