/**
 * A node:http server that gives nobody its time for nothing: every wait for a client ends (D3), one
 * address has so many connections (D3), and what is no HTTP is refused in a few bytes (H1, H9).
 */
import { createServer, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { BlockList, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import { addressKey, isTrusted } from "./address.ts";
import type { App } from "./app.ts";

export interface Limits {
  /** From the connection, or the end of the last request's answer, to the end of the headers. */
  readonly headersSeconds: number;
  /** From a request's first byte to its last. */
  readonly requestSeconds: number;
  /** A connection without a request in progress. */
  readonly idleSeconds: number;
  /** How often the above are looked at. */
  readonly checkSeconds: number;
  readonly connectionsPerAddress: number;
  /** What requests in progress get at a stop. */
  readonly drainSeconds: number;
}

export const LIMITS: Limits = {
  headersSeconds: 5,
  requestSeconds: 10,
  idleSeconds: 5,
  checkSeconds: 1,
  connectionsPerAddress: 512,
  drainSeconds: 4,
};

export interface HttpServer {
  readonly server: Server;
  /**
   * For `delaySeconds` takes requests as ever, each the last of its connection; then no new connection.
   * Resolves when the last request is answered or `drainSeconds` more are over.
   */
  stop(delaySeconds?: number): Promise<void>;
}

export function createHttpServer(
  app: App,
  { limits, trustedProxies }: { limits: Limits; trustedProxies: BlockList },
): HttpServer {
  const server = createServer({
    headersTimeout: limits.headersSeconds * 1000,
    requestTimeout: limits.requestSeconds * 1000,
    keepAliveTimeout: limits.idleSeconds * 1000,
    connectionsCheckingInterval: limits.checkSeconds * 1000,
    // The application refuses a missing Host itself, in the listener's error format.
    requireHostHeader: false,
  });
  const sockets = new Set<Socket>();
  let isStopping = false;

  server.on("request", (req, res) => {
    if (isStopping) res.setHeader("Connection", "close");
    void app(req, res);
  });
  server.on("checkExpectation", (req, res) => void app(req, res));
  server.on("clientError", refuse);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("connection", limitConnections(limits.connectionsPerAddress, trustedProxies));

  return {
    server,
    async stop(delaySeconds = 0) {
      isStopping = true;
      for (const res of [...sockets].map(answerInProgress)) {
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
          for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
        },
        Math.min(delaySeconds, 1) * 1000,
      );
      const late = setTimeout(() => server.closeAllConnections(), limits.drainSeconds * 1000);
      await closed.promise;
      clearTimeout(silent);
      clearTimeout(late);
    },
  };
}

/** Node's parser or clock gave a connection up. Its reasons are not told. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  // A second head would be read as the body of an answer that has begun.
  if (!socket.writable || answerInProgress(socket)?.headersSent === true) {
    socket.destroy();
    return;
  }
  const status =
    { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }[error.code ?? ""] ?? 400;
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n` +
      "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n",
    () => socket.destroy(),
  );
}

/** Node keeps the answer in progress on its socket. */
function answerInProgress(socket: Duplex): ServerResponse | undefined {
  const { _httpMessage: res } = socket as { _httpMessage?: ServerResponse | null };
  return res ?? undefined;
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
