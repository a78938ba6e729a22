/**
 * What this package relies on that its runtime and libraries do not promise. Each is a member or a text
 * of theirs; an update that changes one fails here first, and names it.
 */
import cluster from "node:cluster";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, request, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { type AddressInfo, connect, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import Koa from "koa";
import { expect, test } from "vitest";

import { PG_MESSAGES, PG_PARTS } from "./database/database-unavailable.ts";

/** A server of Node's, and what it knows of a connection while it answers (`http/connection.ts`). */
async function withRequest(
  look: (socket: Socket & Record<string, unknown>, res: ServerResponse) => Promise<void>,
): Promise<void> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const sent = request({ port: (server.address() as AddressInfo).port, agent: false });
  sent.on("error", () => {}).end();
  const [req, res] = (await once(server, "request")) as [
    { socket: Socket & Record<string, unknown> },
    ServerResponse,
  ];
  await look(req.socket, res);
  server.closeAllConnections();
  await once(server.close(), "close");
}

test("Node's server: the answer that has the socket is its _httpMessage", async () => {
  await withRequest(async (socket, res) => {
    expect(socket["_httpMessage"]).toBe(res);
    res.end();
    await once(res, "close");
    expect(socket["_httpMessage"] ?? null).toBe(null);
  });
});

test("Node's server: a connection that is _paused is read on at its own drain listener", async () => {
  await withRequest(async (socket) => {
    expect(socket.listenerCount("drain")).toBeGreaterThan(0);
    socket["_paused"] = true;
    socket.pause();
    socket.emit("drain");
    expect([socket["_paused"], socket.isPaused()]).toEqual([false, false]);
    await Promise.resolve();
  });
});

test("Node's server: a socket's handle counts what the system took", async () => {
  await withRequest(async (socket, res) => {
    const handle = socket["_handle"] as Record<string, unknown>;
    expect(handle).toMatchObject({ bytesWritten: 0, writeQueueSize: 0 });
    await new Promise<void>((written) => res.write("x", () => written()));
    expect(handle["bytesWritten"]).toBeGreaterThan(0);
    expect(handle["writeQueueSize"]).toBe(0);
  });
});

test("Node's server: its parser asks onIncoming of each request, and 2 ends the piece there", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  let asked = 0;
  server.on("connection", ({ parser }: Socket & { parser: { onIncoming: unknown } }) => {
    expect(parser.onIncoming).toBeTypeOf("function");
    parser.onIncoming = () => {
      asked += 1;
      return asked < 3 ? 0 : 2;
    };
  });
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => {}).write("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(9));
  await expect.poll(() => asked).toBe(3);
  socket.destroy();
  server.closeAllConnections();
  await once(server.close(), "close");
  expect(asked).toBe(3);
});

test("Node's server: it ends a connection after its last answer by destroySoon", async () => {
  await withRequest(async (socket, res) => {
    const ended = Promise.withResolvers<string>();
    Object.assign(socket, { destroySoon: () => ended.resolve("ended") });
    res.setHeader("Connection", "close").end();
    expect(await ended.promise).toBe("ended");
  });
});

test("Node's server: httpAllowHalfOpen keeps the sending side of a half-closed connection", async () => {
  const server = createServer((req, res) => {
    req.socket.once("end", () => res.end("late"));
  }).listen(0, "127.0.0.1");
  expect(server).toHaveProperty("httpAllowHalfOpen", false);
  Object.assign(server, { httpAllowHalfOpen: true });
  await once(server, "listening");
  const socket = connect({ port: (server.address() as AddressInfo).port, allowHalfOpen: true });
  socket.end("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  expect(await text(socket)).toMatch(/late/);
  await once(server.close(), "close");
});

test("node:cluster: a connection is handed over as newconn with a seq, which an ack names", async () => {
  cluster.setupPrimary({
    exec: fileURLToPath(new URL("../test/cluster-worker.mjs", import.meta.url)),
    execArgv: [],
    args: [],
  });
  const worker = cluster.fork();
  const channel = worker.process as unknown as {
    send: (
      message: Record<string, unknown>,
      handle?: { close?: unknown },
      ...rest: unknown[]
    ) => boolean;
    on(event: string, listener: (message: Record<string, unknown>) => void): void;
  };
  const handed: [seq: unknown, close: unknown][] = [];
  const acks: unknown[] = [];
  const send = channel.send.bind(channel);
  channel.send = (message, handle, ...rest) => {
    if (message["act"] === "newconn") {
      handed.push([message["seq"], typeof handle?.close]);
    }
    return send(message, handle, ...rest);
  };
  channel.on("internalMessage", (message) => acks.push(message["ack"]));
  const [{ port }] = (await once(worker, "listening")) as [AddressInfo];
  expect(await text(connect(port, "127.0.0.1"))).toBe("hello");
  expect(handed).toEqual([[expect.any(Number), "function"]]);
  expect(acks).toContain(handed[0]?.[0]);
  worker.process.kill("SIGKILL");
  await once(worker, "exit");
});

test("Koa: its own setters set headers by response.set, one name and one value at a time", async () => {
  const koa = new Koa();
  const names: unknown[] = [];
  koa.response.set = function set(this: Koa.Response, name: unknown, value?: unknown) {
    names.push(name);
    this.res.setHeader(String(name), String(value));
  };
  await withRequest(async (socket, res) => {
    const ctx = koa.createContext((res as unknown as { req: never }).req, res);
    ctx.body = "text";
    ctx.type = "json";
    ctx.set("X-A", "b");
    ctx.length = 4;
    expect(names).toEqual([
      "Content-Type",
      "Content-Length",
      "Content-Type",
      "X-A",
      "Content-Length",
    ]);
    expect(socket.destroyed).toBe(false);
    await Promise.resolve();
  });
});

test.each([...PG_MESSAGES, ...Object.values(PG_PARTS)])("pg: it says %j", (said) => {
  const from = createRequire(import.meta.url);
  const pg = dirname(from.resolve("pg"));
  const pool = createRequire(join(pg, "index.js")).resolve("pg-pool");
  const sources = ["client", "connection", "crypto/sasl"].map((name) => join(pg, `${name}.js`));
  const code = [...sources, pool].map((path) => readFileSync(path, "utf8")).join("\n");
  expect(code).toContain(said);
});
