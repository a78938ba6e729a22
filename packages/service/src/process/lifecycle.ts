/** The life of a server process: listen twice, run until told to stop, drain, end. */
import { once } from "node:events";
import type { AddressInfo, BlockList } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import type { App } from "../http/app.ts";
import type { Health } from "./health.ts";
import { createHttpServer, type HttpServer, type Limits, LIMITS } from "../http/http-server.ts";
import type { Log } from "../observe/log.ts";
import { OWN_MESSAGE } from "@daykey/common/own-message";
import type { Peers } from "./peers.ts";
import type { ServerTls } from "./tls.ts";

export interface Endpoint {
  readonly app: App;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The setting the port comes from, for the message when it cannot be had. */
  readonly setting?: string;
  /** Undefined: plain HTTP. */
  readonly tls?: ServerTls | undefined;
}

export interface Listeners {
  readonly publicPort: number;
  readonly privatePort: number;
  /** Why it is not ready, in one line; undefined when it is. */
  unreadiness(): string | undefined;
  /**
   * Not ready; requests are taken for `stopDelaySeconds` more, so that whoever sends them hears of it;
   * then no new connections, and requests in progress are finished within `drainSeconds`.
   */
  stop(): Promise<void>;
}

/** A port cannot be listened on; the message says why and which setting to change. */
export class ListenError extends Error {
  readonly [OWN_MESSAGE] = true;

  constructor({ host, port, setting }: Endpoint, cause: NodeJS.ErrnoException) {
    const reason =
      {
        EADDRINUSE: "is in use by another process",
        EACCES: "needs more rights than this process has",
        EADDRNOTAVAIL: "is on an address this machine does not have",
      }[cause.code ?? ""] ?? `cannot be listened on (${cause.code})`;
    const advice = setting === undefined ? "" : ` Set ${setting} to another port.`;
    const isAirPlay = process.platform === "darwin" && (port === 5000 || port === 7000);
    const hint = isAirPlay ? " On macOS, AirPlay Receiver holds it." : "";
    super(`Port ${port} of ${host} ${reason}.${hint}${advice}`, { cause });
    this.name = "ListenError";
  }
}

/** A worker that should take the place of one that serves well is not ready in time. */
class NotReady extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "NotReady";

  constructor(seconds: number, fault: string) {
    super(`It is not ready after ${seconds} s: ${fault}`);
  }
}

/**
 * @throws {ListenError} when either port cannot be had; then neither is held
 * @throws {NotReady} in a worker that may not listen before it is
 */
export async function startListeners(options: {
  public: Endpoint;
  private: Endpoint;
  health: Health;
  log: Log;
  trustedProxies: BlockList;
  limits?: Partial<Limits>;
  stopDelaySeconds?: number;
  /** One of several workers waits a while to be ready, for it gets requests as soon as it listens. */
  peers?: Peers | undefined;
}): Promise<Listeners> {
  const { health, log, trustedProxies } = options;
  const limits = { ...LIMITS, ...options.limits };
  const shared = { limits, trustedProxies, log };
  const outer = createHttpServer(options.public.app, { ...shared, tls: options.public.tls });
  const inner = createHttpServer(options.private.app, shared);
  if (options.peers) await untilReady(health, options.peers);
  const publicPort = await listen(outer, options.public);
  let privatePort;
  try {
    privatePort = await listen(inner, options.private);
  } catch (error) {
    await outer.stop();
    throw error;
  }
  log.info({ publicPort, privatePort }, "listening");
  return {
    publicPort,
    privatePort,
    unreadiness: health.unreadiness,
    async stop() {
      health.draining();
      const delaySeconds = options.stopDelaySeconds ?? 0;
      await Promise.all([outer.stop(delaySeconds), inner.stop(delaySeconds)]);
    },
  };
}

const READY_LOOK_SECONDS = 0.05;
/** A worker that has waited so long to be ready says for what. */
const QUIET_SECONDS = 2;

/** @throws {NotReady} where it may not listen before it is */
async function untilReady(health: Health, peers: Peers): Promise<void> {
  const { patienceSeconds, mustBeReady } = peers;
  const begun = performance.now();
  const waited = () => (performance.now() - begun) / 1000;
  let hasTold = false;
  while (waited() < patienceSeconds) {
    const fault = health.unreadiness();
    if (fault === undefined) return;
    if (!hasTold && waited() >= QUIET_SECONDS) {
      peers.waits(fault);
      hasTold = true;
    }
    await sleep(READY_LOOK_SECONDS * 1000);
  }
  const fault = health.unreadiness();
  if (mustBeReady && fault !== undefined) throw new NotReady(patienceSeconds, fault);
}

async function listen({ server }: HttpServer, endpoint: Endpoint): Promise<number> {
  server.listen(endpoint.port, endpoint.host);
  try {
    await once(server, "listening");
  } catch (error) {
    throw new ListenError(endpoint, error as NodeJS.ErrnoException);
  }
  return (server.address() as AddressInfo).port;
}

/** More than `LIMITS.drainSeconds`. */
export const STOP_SECONDS = 4.5;

/**
 * Runs until SIGINT, SIGTERM, the parent's end (with an IPC channel) or uncaught error, then
 * calls `stop` once and ends the process: with 0 when told to, with 1 after such an error (D6). Further
 * signals change nothing.
 *
 * @param options.stopSeconds after which a `stop` that hangs is left
 * @returns what ends it in the same way, with a cause and an exit code
 */
export function runUntilSignal({
  stop,
  log,
  stopSeconds = STOP_SECONDS,
  signals = ["SIGINT", "SIGTERM"],
}: {
  stop: () => Promise<void>;
  log: Log;
  stopSeconds?: number;
  signals?: readonly NodeJS.Signals[];
}): (cause: string, exitCode: number) => Promise<void> {
  let isStopping = false;

  async function end(cause: string, exitCode: number): Promise<void> {
    process.exitCode = Math.max(exitCode, Number(process.exitCode ?? 0));
    if (isStopping) return;
    isStopping = true;
    log.info({ cause }, "stopping");
    const late = setTimeout(() => {
      process.exitCode = 1;
      void exit("stopping took too long");
    }, stopSeconds * 1000);
    try {
      await stop();
    } catch (error) {
      process.exitCode = 1;
      log.error({ err: error }, "stopping failed");
    }
    clearTimeout(late);
    await exit("stopped");
  }

  async function exit(message: string): Promise<void> {
    log.info(message);
    const isWritten = await log.flush(0.5);
    // A thread that waits for the log's reader would keep `process.exit` waiting too.
    if (!isWritten) process.kill(process.pid, "SIGKILL");
    process.exit();
  }

  for (const signal of signals) {
    process.on(signal, () => void end(signal, 0));
  }
  if (process.connected) process.once("disconnect", () => void end("disconnect", 0));
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (error: unknown) => {
      log.fatal({ err: error, event }, "uncaught error");
      void end(event, 1);
    });
  }
  return end;
}
