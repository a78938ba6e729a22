/**
 * A node:http server that gives nobody its time for nothing. Every wait for a client ends (D3), the
 * connections of one address are limited (D3), and what is no HTTP is refused in a few bytes (H1, H9).
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { BlockList, Server, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { addressKey, isTrusted } from "./address.ts";
import type { App } from "./app.ts";
import { awaitContinue } from "./body.ts";
import { type Connection, createConnection, type ClientLimits } from "./connection.ts";
import type { Log } from "../observe/log.ts";
import type { ServerTls } from "../process/tls.ts";

export interface Limits extends ClientLimits {
  /** From a request's first byte to the end of its headers. */
  readonly headersSeconds: number;
  /**
   * A connection without a request in progress, also before its first; longer than any proxy keeps one, or a
   * request meets its end.
   */
  readonly idleSeconds: number;
  /** How often the above are looked at. */
  readonly checkSeconds: number;
  readonly connectionsPerAddress: number;
  /** The most that a request's line and headers may have together. */
  readonly headerBytes: number;
  /** What requests in progress get at a stop. */
  readonly drainSeconds: number;
}

export const LIMITS: Limits = {
  headersSeconds: 5,
  requestSeconds: 10,
  idleSeconds: 75,
  writeSeconds: 20,
  slowestBytesPerSecond: 16 * 1024,
  checkSeconds: 1,
  connectionsPerAddress: 512,
  headerBytes: 16 * 1024,
  drainSeconds: 4,
};

export interface HttpServer {
  readonly server: Server;
  /**
   * For `delaySeconds` still accepts requests, and closes each connection after its answer. Then accepts
   * no new connection. Resolves when the last request is answered or `drainSeconds` more are over.
   */
  stop(delaySeconds?: number): Promise<void>;
}

const TIMED_OUT = "ERR_HTTP_REQUEST_TIMEOUT";

/** What Node's parser calls a fault: the answer's status, and the reason in the log. */
const FAULTS: Readonly<Record<string, readonly [status: number, reason: string]>> = {
  HPE_HEADER_OVERFLOW: [431, "headers_too_large"],
};

export function createHttpServer(
  app: App,
  {
    limits,
    trustedProxies,
    log,
    tls,
  }: { limits: Limits; trustedProxies: BlockList; log: Log; tls?: ServerTls | undefined },
): HttpServer {
  const options = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersSeconds * 1000,
    requestTimeout: limits.requestSeconds * 1000,
    keepAliveTimeout: limits.idleSeconds * 1000,
    connectionsCheckingInterval: limits.checkSeconds * 1000,
    // The application refuses a missing Host itself, in the listener's error format.
    requireHostHeader: false,
  };
  const server = tls
    ? createTlsServer({
        ...options,
        ...tls.options,
        handshakeTimeout: limits.headersSeconds * 1000,
        // As node:http has it.
        allowHalfOpen: true,
      })
    : createServer(options);
  if (tls) tls.keep(server as ReturnType<typeof createTlsServer>);
  // Node's switch for clients that close their sending side and still read; it has no type.
  Object.assign(server, { httpAllowHalfOpen: true });
  const connections = new Map<Socket, Connection>();
  /** What they stand on: the same, or of TLS what is below it, before the end of the handshake too. */
  const sockets = new Set<Socket>();
  const sentAhead = { waiting: 0 };
  let isStopping = false;

  function take(req: IncomingMessage, res: ServerResponse): void {
    if (isStopping) res.setHeader("Connection", "close");
    connections.get(req.socket)?.request(req, res);
  }
  server.on("request", take);
  server.on("checkExpectation", take);
  server.on("checkContinue", (req, res) => {
    awaitContinue(req, res);
    take(req, res);
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    // Clients open connections ahead of need: 408 on one would be taken for the answer to what comes next.
    if (error.code === TIMED_OUT && (socket as Socket).bytesRead === 0) {
      (socket as Socket).setTimeout(limits.idleSeconds * 1000);
      return;
    }
    const [status, reason] = FAULTS[error.code ?? ""] ?? [400, "malformed_request"];
    const connection = connections.get(socket as Socket);
    if (connection && error.code === TIMED_OUT) connection.timedOut(limits);
    else if (connection && error.code !== "ECONNRESET") connection.refuse(status, reason);
    else socket.destroy();
  });
  // Without a listener Node would cut the connection off, answers that are due included.
  server.on("connect", (_, socket: Socket) => {
    socket.on("error", () => {});
    connections.get(socket)?.refuse(501, "connect_method");
  });
  server.on(tls ? "secureConnection" : "connection", (socket: Socket) => {
    connections.set(socket, createConnection(socket, { app, log, sentAhead }));
    socket.once("close", () => connections.delete(socket));
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("connection", limitConnections(limits.connectionsPerAddress, trustedProxies));
  server.on("listening", () => {
    const looking = setInterval(() => {
      const now = performance.now() / 1000;
      for (const connection of connections.values()) connection.look(now, limits);
    }, limits.checkSeconds * 1000).unref();
    server.once("close", () => clearInterval(looking));
  });

  return {
    server,
    async stop(delaySeconds = 0) {
      isStopping = true;
      for (const connection of connections.values()) {
        const res = connection.answerInProgress();
        if (res?.headersSent === false) res.setHeader("Connection", "close");
      }
      // Closed at once, a connection that seems idle may have a request on its way.
      if (delaySeconds > 0) await sleep(delaySeconds * 1000);
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeIdleConnections();
      // To Node, a connection that has sent nothing yet is not idle. One of the last moment gets a while.
      const silent = setTimeout(
        () => {
          for (const socket of connections.keys()) if (socket.bytesRead === 0) socket.destroy();
        },
        Math.min(delaySeconds, 1) * 1000,
      );
      const late = setTimeout(() => {
        for (const socket of [...connections.keys(), ...sockets]) socket.destroy();
      }, limits.drainSeconds * 1000);
      await closed.promise;
      clearTimeout(silent);
      clearTimeout(late);
    },
  };
}

function limitConnections(limit: number, trustedProxies: BlockList) {
  const counts = new Map<string, number>();
  return (socket: Socket): void => {
    const address = socket.remoteAddress ?? "";
    if (isTrusted(address, trustedProxies)) return;
    const key = addressKey(address);
    const count = (counts.get(key) ?? 0) + 1;
    if (count > limit) {
      socket.destroy();
      return;
    }
    counts.set(key, count);
    socket.once("close", () => {
      const left = (counts.get(key) ?? 1) - 1;
      if (left === 0) counts.delete(key);
      else counts.set(key, left);
    });
  };
}
