/** A listener made by `createApp` on a free port, with raw sockets to it and its log in memory. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

import { createTrustedProxies } from "../src/http/address.ts";
import { createApp } from "../src/http/app.ts";
import { FORM_MEDIA_TYPE } from "@daykey/common/media-types";
import { type ErrorFormat, PROBLEM_FORMAT } from "../src/http/errors.ts";
import { charsetOf } from "../src/http/media-type.ts";
import { problem } from "../src/http/problem-error.ts";
import { createHealth } from "../src/process/health.ts";
import type { Limits } from "../src/http/http-server.ts";
import { readContent, readJson } from "../src/http/json-body.ts";
import { startListeners } from "../src/process/lifecycle.ts";
import { createMetrics } from "../src/observe/metrics.ts";
import { type AppRouter, createRouter } from "../src/http/router.ts";
import { createTestLog } from "./log.ts";

export interface AppServer {
  readonly port: number;
  readonly privatePort: number;
  readonly url: string;
  /** What was logged, parsed. */
  readonly lines: Record<string, unknown>[];
  /** Sends bytes and returns all that comes back until the server closes. */
  exchange(request: string | Buffer): Promise<string>;
  /** A connection to the public port. */
  open(): Promise<Socket>;
  stop(): Promise<void>;
}

export async function startAppServer({
  format = PROBLEM_FORMAT,
  limits = {},
  trustedProxies = [],
  requestsPerAddress = 0,
  addRoutes = () => {},
}: {
  format?: ErrorFormat;
  limits?: Partial<Limits>;
  trustedProxies?: string[];
  requestsPerAddress?: number;
  addRoutes?: (router: AppRouter) => void;
} = {}): Promise<AppServer> {
  const { log, lines } = createTestLog();
  const health = createHealth();
  const metrics = createMetrics({ name: "test" });
  const router = createRouter();
  addTestRoutes(router);
  addRoutes(router);
  const shared = {
    log,
    metrics,
    trustedProxies: createTrustedProxies(trustedProxies),
    errorFormat: format,
  };
  const host = "127.0.0.1";
  const listeners = await startListeners({
    public: {
      app: createApp({ ...shared, requestsPerAddress, routers: [health.router, router] }),
      host,
      port: 0,
    },
    private: {
      app: createApp({ ...shared, routers: [health.router, metrics.router] }),
      host,
      port: 0,
    },
    health,
    log,
    trustedProxies: shared.trustedProxies,
    limits: { drainSeconds: 0.2, idleSeconds: 5, ...limits },
  });
  const port = listeners.publicPort;

  async function open(): Promise<Socket> {
    const socket = connect(port, host);
    socket.on("error", () => {});
    await once(socket, "connect");
    return socket;
  }

  return {
    port,
    privatePort: listeners.privatePort,
    url: `http://${host}:${port}`,
    lines,
    open,
    async exchange(request) {
      const socket = await open();
      socket.write(request);
      return readAll(socket);
    },
    stop: () => listeners.stop(),
  };
}

/** All that a socket still gives, until the other side closes it. */
export async function readAll(socket: Socket): Promise<string> {
  let received = "";
  socket.setEncoding("latin1").on("data", (text: string) => (received += text));
  if (!socket.closed) await once(socket, "close");
  return received;
}

function addTestRoutes(router: AppRouter): void {
  router.get("/things/:id", (ctx) => {
    ctx.body = { id: ctx.params["id"] };
  });
  router.post("/ignores-body", (ctx) => {
    ctx.body = { done: true };
  });
  router.post("/form", async (ctx) => {
    if (charsetOf(ctx.req, FORM_MEDIA_TYPE) === undefined) throw problem("unsupported-media-type");
    const body = await readContent(ctx.req, 1024);
    ctx.body = Object.fromEntries(new URLSearchParams(body.toString()));
  });
  router.register("/json", ["POST", "PATCH"], async (ctx) => {
    ctx.body = { kind: typeof (await readJson(ctx.req, { limitBytes: 1024 })) };
  });
}
