/**
 * One connection of its own that LISTENs, and comes back by itself. Notifications sent while it is
 * away are lost, so `onConnect` runs after every connect: the caller then reads everything anew.
 */
import { Socket } from "node:net";
import { setTimeout } from "node:timers/promises";

import { backoff } from "@daykey/common/backoff";
import { withDeadline } from "@daykey/common/deadline";
import pg from "pg";

import type { Log } from "../observe/log.ts";
import { SET_SESSION } from "./session.ts";
import { DatabaseUnavailable } from "./database-unavailable.ts";
import { createPrimary, requirePrimary, serverName } from "./primary.ts";

export interface Listener {
  /** False while there is no connection, so while notifications are being missed. */
  connected(): boolean;
  close(): Promise<void>;
}

/** The first pause and the longest. */
const PAUSE_MS = [100, 2000] as const;
/** How long the server may take to hear that the connection ends. */
const GOODBYE_SECONDS = 0.5;

/**
 * @param options.connectionString of the server itself, or of several (`primary.ts`): a transaction
 * pooler does not pass LISTEN on
 * @param options.heartbeatSeconds how often a silent connection is tried (default 5), and how long it
 * may take to answer before it is given up
 */
export function createListener(options: {
  connectionString: string;
  channel: string;
  onNotify: (payload: string) => void;
  onConnect: () => void;
  log: Log;
  heartbeatSeconds?: number;
}): Listener {
  const { connectionString, channel, onNotify, onConnect, log } = options;
  const { heartbeatSeconds = 5 } = options;
  const heartbeatMs = heartbeatSeconds * 1000;
  const primary = createPrimary(connectionString);
  const closed = new AbortController();
  let isConnected = false;

  /** One connection, from connect until it is lost or closed. */
  async function listen(): Promise<void> {
    const server = primary.current();
    const socket = new Socket();
    const client = new pg.Client({
      connectionString: server,
      stream: () => socket,
      keepAlive: true,
      connectionTimeoutMillis: heartbeatMs,
      query_timeout: heartbeatMs,
    });
    const lost = Promise.withResolvers<void>();
    const lose = () => lost.resolve();
    client.on("error", lose).on("end", lose);
    closed.signal.addEventListener("abort", lose);
    client.on("notification", ({ payload }) => onNotify(payload ?? ""));
    let heartbeat: NodeJS.Timeout | undefined;
    async function begin(): Promise<void> {
      await client.connect();
      if (primary.isOneOfMany) await requirePrimary(client);
      await client.query(SET_SESSION);
      await client.query(`listen ${client.escapeIdentifier(channel)}`);
    }
    try {
      const limits = { seconds: 2 * heartbeatSeconds, signal: closed.signal };
      await withDeadline(begin, limits).catch((cause: unknown) => {
        throw new DatabaseUnavailable({ cause, server: serverName(server) });
      });
      isConnected = true;
      onConnect();
      heartbeat = setInterval(() => void client.query("select 1").catch(lose), heartbeatMs);
      await lost.promise;
    } finally {
      primary.failed(server);
      isConnected = false;
      clearInterval(heartbeat);
      closed.signal.removeEventListener("abort", lose);
      await withDeadline(() => client.end(), { seconds: GOODBYE_SECONDS }).catch(() => {});
      // A server that does not say goodbye would keep the connection.
      socket.destroy();
    }
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (!closed.signal.aborted) {
      try {
        await listen();
        failures = 0;
        if (!closed.signal.aborted) log.warn({ channel }, "the listening connection was lost");
      } catch (error) {
        if (closed.signal.aborted) return;
        log.warn({ channel, err: error }, "cannot listen to the database");
      }
      await pause(backoff(failures, PAUSE_MS, Math.random()), closed.signal);
      failures += 1;
    }
  }

  const running = run();
  return {
    connected: () => isConnected,
    async close() {
      closed.abort();
      await running;
    },
  };
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return setTimeout(milliseconds, undefined, { signal }).catch(() => {});
}
