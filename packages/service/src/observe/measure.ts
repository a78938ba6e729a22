/** Metrics that every server with these parts has. */
import type { PoolState } from "../database/database.ts";
import type { Health } from "../process/health.ts";
import type { Metrics } from "./metrics.ts";

export function measureHealth(metrics: Metrics, health: Health): void {
  metrics.gauge({
    name: "instance_ready",
    help: "1 while /readyz says so",
    read: () => Number(health.isReady()),
  });
}

/**
 * Tells of Redis in health and metrics. A server works on without it in part.
 * @param fault what is wrong with Redis now, or undefined; itself undefined where no Redis is used
 */
export function watchRedis(
  { metrics, health }: { metrics: Metrics; health: Health },
  fault: (() => string | undefined) | undefined,
): void {
  if (!fault) return;
  health.addPartCheck("redis", fault);
  metrics.gauge({
    name: "redis_usable",
    help: "1 while Redis can be reached and takes commands",
    read: () => Number(fault() === undefined),
  });
}

export function measurePool(metrics: Metrics, pool: () => PoolState): void {
  metrics.gauge({
    name: "database_pool_connections",
    help: "Connections to the database, of at most database_pool_max",
    label: "state",
    read: () => ({ busy: pool().busy, idle: pool().idle }),
  });
  metrics.gauge({
    name: "database_pool_max",
    help: "Connections to the database at most: DATABASE_POOL",
    read: () => pool().max,
  });
  metrics.gauge({
    name: "database_pool_waiting",
    help: "Requests that wait for a connection; each waits 1 s at most",
    read: () => pool().waiting,
  });
}
