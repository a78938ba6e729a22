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

const USABLE = {
  redis: "1 while Redis can be reached and takes commands",
  database: "1 while the database of quotas and nonces answers",
};

/**
 * Tells in health and metrics of a store without which a server works on in part.
 * @param fault what is wrong with it now, or undefined; itself undefined where it is not used
 */
export function watchStore(
  { metrics, health }: { metrics: Metrics; health: Health },
  name: keyof typeof USABLE,
  fault: (() => string | undefined) | undefined,
): void {
  if (!fault) return;
  health.addPartCheck(name, fault);
  metrics.gauge({
    name: `${name}_usable`,
    help: USABLE[name],
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
