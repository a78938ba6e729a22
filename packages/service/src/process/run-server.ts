/** A server's process: what it gives the server, and how it ends. It is the whole instance, or one worker. */
import cluster from "node:cluster";

import type { Clock } from "@daykey/common/clock";

import { runUntilSignal, STOP_SECONDS } from "./lifecycle.ts";
import type { ListenerConfig } from "./listener-settings.ts";
import { createLog, type Log, type LogLevel } from "../observe/log.ts";
import { joinPeers, type Peers } from "./peers.ts";
import type { Tracing } from "../observe/tracing.ts";
import { type BeginLimits, supervise } from "./workers.ts";

/** What a started server is to its process. */
interface Server {
  unreadiness(): string | undefined;
  stop(): Promise<void>;
  /** On SIGHUP, in place of the end of a process that is alone; its own faults are its own to log. */
  reload?(): Promise<void>;
}

/** What a server is given by its process. */
export interface Surroundings {
  readonly log: Log;
  readonly clock: Clock;
  /** The workers of this instance, when there are several. */
  readonly peers?: Peers | undefined;
  readonly tracing?: Tracing | undefined;
}

/**
 * Runs a server until a signal ends it: in this process when `config.workers` is 1, otherwise in that
 * many processes. Each of those runs this program anew and comes here as a worker.
 */
export async function runServer({
  name,
  config,
  clock,
  start,
  limits,
}: {
  name: string;
  config: Pick<ListenerConfig, "workers" | "stopDelaySeconds" | "traces"> & { logLevel: LogLevel };
  clock: Clock;
  start: (surroundings: Surroundings) => Promise<Server>;
  limits?: Partial<BeginLimits>;
}): Promise<void> {
  const { workers, traces } = config;
  let tracing: Tracing | undefined;
  const log = createLog({
    name,
    level: config.logLevel,
    isShared: workers > 1,
    fields: traces && (() => tracing?.logFields() ?? {}),
  });
  logWarnings(log);
  const stopSeconds = config.stopDelaySeconds + STOP_SECONDS;
  if (workers > 1 && cluster.isPrimary) {
    return supervise({ count: workers, log, stopSeconds, limits });
  }

  const peers = joinPeers();
  // A group's SIGHUP is for the supervisor; a process alone cannot be reloaded, so it ends in order.
  if (peers) process.on("SIGHUP", () => {});
  if (traces) {
    const { createTracing } = await import("../observe/tracing.ts");
    tracing = createTracing({ ...traces, service: name, log });
  }
  const server = await start({ log, clock, peers, tracing });
  const isReloaded = peers !== undefined || server.reload !== undefined;
  const signals = ["SIGINT", "SIGTERM", ...(isReloaded ? [] : ["SIGHUP" as const])] as const;
  if (!peers && server.reload) process.on("SIGHUP", () => void server.reload?.());
  const stop = async (): Promise<void> => {
    await server.stop();
    await Promise.all([peers?.leave(), tracing?.stop()]);
  };
  runUntilSignal({ stop, log, stopSeconds, signals });
  peers?.serving(server.unreadiness());
}

/** What the runtime warns of comes as a line of the log, without its text: that may quote a URL. */
function logWarnings(log: Log): void {
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    log.warn(
      { event: "runtime_warning", warning: warning.name, err: warning },
      "a warning of Node's",
    );
  });
}
