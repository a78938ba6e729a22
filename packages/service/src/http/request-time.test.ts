/** A request that has come is never told 408, however busy the server was. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { type EventEmitter, once } from "node:events";
import type { Socket } from "node:net";

import { afterEach, beforeEach, expect, test } from "vitest";

import { type AppServer, readAll, startAppServer } from "../../test/app-server.ts";
import type { AppRouter } from "./router.ts";

const ACCEPTED = "net.server.socket";
type Accepted = Socket & { server: EventEmitter };
let accepted: Accepted[];
let server: AppServer;
/** `/waits` answers when it is let. */
let letGo: PromiseWithResolvers<void>;
const keep = (message: unknown) => void accepted.push((message as { socket: Accepted }).socket);
beforeEach(() => {
  letGo = Promise.withResolvers();
  accepted = [];
  subscribe(ACCEPTED, keep);
});
afterEach(() => {
  unsubscribe(ACCEPTED, keep);
  return server.stop();
});

async function start(limits = {}): Promise<Socket> {
  const addRoutes = (router: AppRouter): void => {
    router.get("/waits", async (ctx) => {
      await letGo.promise;
      ctx.body = { waited: true };
    });
  };
  server = await startAppServer({ addRoutes, limits });
  return server.open();
}

/** Node's clock says so before what the system has is read, when the event loop was held up. */
function endTime(): void {
  const [socket] = accepted as [Accepted];
  const error = Object.assign(new Error(), { code: "ERR_HTTP_REQUEST_TIMEOUT" });
  socket.server.emit("clientError", error, socket);
}
async function sendPart(socket: Socket, part: string): Promise<void> {
  socket.write(part);
  const length = Buffer.byteLength(part);
  while (accepted[0]?.bytesRead !== length) await new Promise((turn) => setImmediate(turn));
}

const HOST = "Host: a\r\n";
const WAITS = `GET /waits HTTP/1.1\r\n${HOST}\r\n`;
const FORM = `POST /form HTTP/1.1\r\n${HOST}Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n`;
const LONG = `a=${"b".repeat(1000)}`;
const PARTS = {
  "a request line": ["GET /thi", `ngs/1 HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`],
  headers: [`GET /things/1 HTTP/1.1\r\n${HOST}`, "Connection: close\r\n\r\n"],
  "a body": [`${FORM}Content-Length: 5\r\n\r\na=`, "bcd"],
  "the last chunk": [`${FORM}Transfer-Encoding: chunked\r\n\r\n2\r\na=\r\n`, "0\r\n\r\n"],
} as const;

test.each(Object.entries(PARTS))(
  "D3: when the time is over, the rest of %s that has come is read first",
  async (_, [part, rest]) => {
    const socket = await start();
    await sendPart(socket, part);
    socket.write(rest);
    endTime();
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 200 /);
  },
);

test.each(Object.entries(PARTS))(
  "D3: %s whose rest has not come is told 408",
  async (_, [part]) => {
    const socket = await start();
    await sendPart(socket, part);
    endTime();
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 408 /);
  },
);

test("D3: a request behind a slow answer has its time from its turn on", async () => {
  const socket = await start();
  await sendPart(
    socket,
    `${WAITS}${FORM}Content-Length: ${LONG.length}\r\n\r\n${LONG.slice(0, 9)}`,
  );
  endTime();
  letGo.resolve();
  const answers = readAll(socket);
  await once(socket, "data");
  socket.write(LONG.slice(9));
  expect((await answers).match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200"]);
});

test("D3: a request behind a slow answer whose rest never comes is told so then", async () => {
  const socket = await start({ headersSeconds: 0.05, requestSeconds: 0.05, checkSeconds: 60 });
  await sendPart(socket, `${WAITS}${FORM}Content-Length: 5\r\n\r\na=`);
  endTime();
  letGo.resolve();
  expect((await readAll(socket)).match(/HTTP\/1\.1 \d+/g)).toEqual([
    "HTTP/1.1 200",
    "HTTP/1.1 408",
  ]);
});
