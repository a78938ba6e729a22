import { once } from "node:events";
import type { Socket } from "node:net";

import { afterEach, expect, test } from "vitest";

import { type AppServer, readAll, startAppServer } from "../../test/app-server.ts";
import { LIMITS } from "./http-server.ts";
import type { AppRouter } from "./router.ts";

let server: AppServer;
afterEach(() => server.stop());

const HEAD = "GET /things/1 HTTP/1.1\r\nHost: a\r\n";
const FAST = { headersSeconds: 0.1, requestSeconds: 0.2, idleSeconds: 0.1, checkSeconds: 0.02 };

/** For a test whose own request must not meet the end of its time, however busy the machine is. */
const AMPLE = { headersSeconds: 60, requestSeconds: 60, checkSeconds: 0.02 };

const SLOW_HEADERS = {
  "a request line without end": "GET /things",
  "headers without end": HEAD,
};

test.each(Object.entries(SLOW_HEADERS))("D3: %s ends in 408", async (_, start) => {
  server = await startAppServer({ limits: { ...FAST, requestSeconds: 60 } });
  expect(await server.exchange(start)).toMatch(/^HTTP\/1.1 408 .*\r\nConnection: close\r\n/);
});

const SLOW_BODY = {
  "a body without end": "POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\na=",
  "a body nobody reads without end":
    "POST /ignores-body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\na=",
  "chunks without end":
    "POST /form HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na=\r\n",
  "a chunk size without end":
    "POST /form HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n000000",
};

test.each(Object.entries(SLOW_BODY))("D3: %s ends in 408", async (_, start) => {
  server = await startAppServer({ limits: FAST });
  expect(await server.exchange(start)).toMatch(/^HTTP\/1.1 408 .*\r\nConnection: close\r\n/);
});

test("D3: one byte now and then does not keep a connection", async () => {
  server = await startAppServer({ limits: { ...FAST, requestSeconds: 60 } });
  const socket = await server.open();
  socket.write(`${HEAD}X-A: `);
  const drip = setInterval(() => socket.write("X"), 10);
  expect(await readAll(socket)).toMatch(/^HTTP\/1.1 408 /);
  clearInterval(drip);
});

test("D3: an idle connection is closed after its answer", async () => {
  server = await startAppServer({ limits: { ...AMPLE, idleSeconds: 0.1 } });
  expect(await server.exchange(`${HEAD}\r\n`)).toMatch(/^HTTP\/1.1 200 .*[^]*\{"id":"1"\}$/);
});

test("D3: a connection without a byte is an idle one: a request is served, whenever it comes, and none is told 408", async () => {
  // Clients open connections ahead of need. What is said on one is taken for the answer to what they send next.
  server = await startAppServer({ limits: { ...FAST, idleSeconds: 60 } });
  const late = await server.open();
  const slow = await server.open();
  slow.write("GET");
  // By then the time for headers is over for both.
  expect(await readAll(slow)).toMatch(/^HTTP\/1.1 408 /);
  late.write(`${HEAD}Connection: close\r\n\r\n`);
  expect(await readAll(late)).toMatch(/^HTTP\/1.1 200 /);
});

test("D3: a connection without a byte ends in its time, without a word", async () => {
  server = await startAppServer({ limits: FAST });
  expect(await server.exchange("")).toBe("");
});

test("an idle connection is kept for its whole time, whatever the other limits", async () => {
  // A proxy counts on it: a request that meets the end of its connection is lost.
  const idleSeconds = 1;
  const others = { headersSeconds: 0.5, requestSeconds: 0.5, checkSeconds: 0.02 };
  server = await startAppServer({ limits: { ...others, idleSeconds } });
  const socket = await server.open();
  let sentAt = 0;
  for (let count = 0; count < 2; count += 1) {
    sentAt = performance.now();
    expect(await isServed(socket)).toBe(true);
  }
  await once(socket, "close");
  expect((performance.now() - sentAt) / 1000).toBeGreaterThanOrEqual(idleSeconds);
  expect(LIMITS.idleSeconds).toBeGreaterThanOrEqual(75);
});

test("D3: an answer may take longer than its request had", async () => {
  server = await startAppServer({
    limits: { ...FAST, headersSeconds: 2, requestSeconds: 2 },
    addRoutes: (router) => {
      router.get("/slow", async (ctx) => {
        // A connection that is younger has had all its time.
        ctx.body = await server.exchange("GET");
      });
    },
  });
  expect(await (await fetch(`${server.url}/slow`)).text()).toMatch(/^HTTP\/1.1 408 /);
});

async function isServed(socket: Socket): Promise<boolean> {
  socket.write(`${HEAD}\r\n`);
  return Promise.race([
    once(socket, "data").then(() => true),
    once(socket, "close").then(() => false),
  ]);
}

test("D3: an address has so many connections; one that ends makes room", async () => {
  server = await startAppServer({ limits: { connectionsPerAddress: 2 } });
  const [first, second, third] = [await server.open(), await server.open(), await server.open()];
  expect(await Promise.all([first, second, third].map(isServed))).toEqual([true, true, false]);
  first.end();
  await once(first, "close");
  expect(await isServed(await server.open())).toBe(true);
  second.destroy();
});

test("D3: configured proxies have no such limit", async () => {
  server = await startAppServer({
    limits: { connectionsPerAddress: 1 },
    trustedProxies: ["127.0.0.0/8"],
  });
  const sockets = [await server.open(), await server.open()];
  expect(await Promise.all(sockets.map(isServed))).toEqual([true, true]);
  for (const socket of sockets) socket.destroy();
});

/** A route whose answer waits for `finish`. */
function waitingRoute() {
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const addRoutes = (router: AppRouter) => {
    router.get("/waits", async (ctx) => {
      begun.resolve();
      await finish.promise;
      ctx.body = "finished";
    });
  };
  return { addRoutes, begun: begun.promise, finish: finish.resolve };
}

test("stop: a request in progress is answered, and its connection closed", async () => {
  const route = waitingRoute();
  server = await startAppServer({ addRoutes: route.addRoutes, limits: { drainSeconds: 60 } });
  const answer = server.exchange("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n");
  await route.begun;
  const stopped = server.stop();
  await expect(fetch(`${server.url}/livez`)).rejects.toThrow("fetch failed");
  route.finish();
  expect(await answer).toMatch(/\r\nConnection: close\r\n[^]*finished$/);
  await stopped;
});

test("stop: a request whose headers are on their way is answered too", async () => {
  server = await startAppServer({ limits: { drainSeconds: 60 } });
  const socket = await server.open();
  socket.write(HEAD);
  // Its answer shows that the server has read what the other socket sent before.
  await fetch(`${server.url}/livez`, { headers: { connection: "close" } });
  const stopped = server.stop();
  socket.write("\r\n");
  expect(await readAll(socket)).toMatch(/^HTTP\/1.1 200 [^]*\r\nConnection: close\r\n/);
  await stopped;
});

test("stop: connections without a request do not delay it", async () => {
  server = await startAppServer({ limits: { drainSeconds: 60 } });
  const idle = await server.open();
  await isServed(idle);
  const fresh = await server.open();
  await server.stop();
  expect(await Promise.all([idle, fresh].map(readAll))).toEqual(["", ""]);
});

test("stop: a request that does not end is cut off", async () => {
  const route = waitingRoute();
  server = await startAppServer({ addRoutes: route.addRoutes, limits: { drainSeconds: 0.1 } });
  const answer = server.exchange("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n");
  await route.begun;
  await server.stop();
  expect(await answer).toBe("");
});
