import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { type AppServer, readAll, startAppServer } from "../../test/app-server.ts";
import { gone } from "./gone.ts";
import type { AppRouter } from "./router.ts";

const HOST = "Host: a\r\n";
const get = (path: string) => `GET ${path} HTTP/1.1\r\n${HOST}\r\n`;
const BIG = Buffer.alloc(8 * 1024 * 1024, "a");

let server: AppServer;
/** `/waits` answers when it is let; `/gone` when its client has gone. */
let begun: PromiseWithResolvers<void>;
let letGo: PromiseWithResolvers<void>;
let left: PromiseWithResolvers<void>;
let counted: number;

function addRoutes(router: AppRouter): void {
  router.get("/waits", async (ctx) => {
    begun.resolve();
    await letGo.promise;
    ctx.body = { waited: true };
  });
  router.get("/gone", async (ctx) => {
    const signal = gone(ctx);
    signal.addEventListener("abort", () => left.resolve());
    begun.resolve();
    await Promise.race([left.promise, letGo.promise]);
    ctx.body = { waited: true };
  });
  router.get("/big", (ctx) => {
    counted += 1;
    ctx.body = BIG;
  });
}

const start = async (limits = {}) => {
  server = await startAppServer({ addRoutes, limits });
};
beforeEach(() => {
  begun = Promise.withResolvers();
  letGo = Promise.withResolvers();
  left = Promise.withResolvers();
  counted = 0;
});
afterEach(() => server.stop());

const reasons = () => server.lines.map(({ reason }) => reason).filter((reason) => reason);

/** Whatever the system has taken, nobody reads for 0.3 s. */
const IMPATIENT = { writeSeconds: 0.3, checkSeconds: 0.05, slowestBytesPerSecond: Infinity };

test("D3: an answer that nobody reads has an end", async () => {
  await start(IMPATIENT);
  const socket = await server.open();
  socket.pause();
  socket.write(get("/big"));
  await expect.poll(reasons).toEqual(["answer_not_read"]);
  socket.destroy();
});

test("D3: many small answers that nobody reads, too, on the private listener", async () => {
  await start(IMPATIENT);
  const socket = connect(server.privatePort, "127.0.0.1").on("error", () => {});
  socket.pause();
  // So large that few of them come in one piece.
  const padded = get("/metrics").replace("\r\n\r\n", `\r\nX: ${"x".repeat(2000)}\r\n\r\n`);
  const more = setInterval(() => socket.write(padded.repeat(20)), 10);
  await expect.poll(reasons).toContain("answer_not_read");
  clearInterval(more);
  socket.destroy();
});

test("D3: a reader that is slow but reads is served", async () => {
  // The system takes nothing more for longer than this, while a third of its buffer is read.
  await start({ writeSeconds: 0.1, checkSeconds: 0.02 });
  const socket = await server.open();
  socket.write(get("/big").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  let received = 0;
  socket.on("data", (bytes: Buffer) => {
    received += bytes.length;
    socket.pause();
    setTimeout(() => socket.resume(), 20);
  });
  await once(socket, "close");
  expect(received).toBeGreaterThan(BIG.length);
  expect(reasons()).toEqual([]);
});

test("D3: requests sent ahead wait until the answer before is read", async () => {
  await start();
  const socket = await server.open();
  socket.pause();
  socket.write(get("/big").repeat(50));
  await expect.poll(() => counted).toBe(1);
  // Another connection's answer shows that the server has had its turns.
  for (let turn = 0; turn < 3; turn += 1) await fetch(`${server.url}/livez`);
  expect(counted).toBe(1);
  socket.destroy();
});

test("requests sent ahead are answered in their order", async () => {
  await start();
  const paths = Array.from({ length: 90 }, (_, index) => `/things/${index}`);
  const raw = await server.exchange(
    paths.map(get).join("") + get("/livez").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
  );
  expect([...raw.matchAll(/\{"id":"(\d+)"\}/g)].map(([, id]) => Number(id))).toEqual(
    paths.map((_, index) => index),
  );
});

test("D3: very many sent ahead end the connection, and none waits in memory", async () => {
  await start();
  const socket = await server.open();
  socket.on("error", () => undefined).write(get("/things/1").repeat(1000));
  await once(socket.resume(), "close");
  expect(counted).toBeLessThan(1000);
  expect(reasons()).toContain("too_many_sent_ahead");
});

describe("D3: of a flood sent ahead little is read", () => {
  const START = "http.server.request.start";
  let read: number;
  const count = () => void (read += 1);
  beforeEach(() => {
    read = 0;
    subscribe(START, count);
  });
  afterEach(() => void unsubscribe(START, count));

  test("of one connection the rest of its piece is not", async () => {
    await start();
    const socket = await server.open();
    socket.on("error", () => undefined).write(get("/waits").repeat(2000));
    await once(socket.resume(), "close");
    expect(reasons()).toContain("too_many_sent_ahead");
    expect(read).toBeLessThanOrEqual(102);
    letGo.resolve();
  });

  test("of many connections what is more than they may have together is not; one that sent few is served", async () => {
    await start();
    const modest = await server.open();
    modest.write(get("/waits") + get("/things/7").repeat(5));
    await begun.promise;
    const sockets = await Promise.all(Array.from({ length: 60 }, () => server.open()));
    for (const socket of sockets)
      socket.on("error", () => undefined).write(get("/waits").repeat(90));
    const ended = () => reasons().filter((reason) => reason === "too_many_sent_ahead").length;
    // Eleven hold what there may be; all others have gone.
    await expect.poll(() => ended() >= 45).toBe(true);
    expect(read).toBeLessThan(60 * 45);
    const last = await server.exchange(
      get("/livez").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
    );
    expect(last).toMatch(/^HTTP\/1\.1 200 /);
    letGo.resolve();
    let answers = "";
    modest.on("data", (bytes: Buffer) => (answers += String(bytes)));
    await expect.poll(() => answers.match(/"id":"7"/g)?.length).toBe(5);
    for (const socket of [modest, ...sockets]) socket.destroy();
    // What has gone counts no more.
    await expect
      .poll(
        async () =>
          (
            await server.exchange(
              get("/things/1").repeat(90) +
                get("/livez").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
            )
          ).match(/"id":"1"/g)?.length,
      )
      .toBe(90);
  });
});

const JUNK = {
  "no HTTP at all": "junk\r\n\r\n",
  "a NUL": "GET /a HTTP/1.1\r\nX: \0\r\n\r\n",
  "too many headers": `GET /a HTTP/1.1\r\n${"X-A: b\r\n".repeat(1200)}\r\n`,
};

test.each(Object.entries(JUNK))(
  "H1: a whole request before %s is answered first",
  async (_, junk) => {
    await start();
    for (const count of [1, 3]) {
      const raw = await server.exchange(get("/things/7").repeat(count) + junk);
      const statuses = [...raw.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
      expect(statuses).toEqual([...Array<number>(count).fill(200), expect.any(Number)]);
      expect([400, 431]).toContain(statuses.at(-1));
      expect(raw).toMatch(/\{"id":"7"\}HTTP\/1\.1 4\d\d [^]*Connection: close/);
    }
    expect(reasons()).toHaveLength(2);
  },
);

test("H1: also when its answer takes a while", async () => {
  await start();
  const answer = server.exchange(`${get("/waits")}junk\r\n\r\n`);
  await begun.promise;
  letGo.resolve();
  expect(await answer).toMatch(/^HTTP\/1\.1 200 [^]*\{"waited":true\}HTTP\/1\.1 400 /);
});

test("a CONNECT is 501, after the answer before it", async () => {
  await start();
  const connectLine = `CONNECT a:443 HTTP/1.1\r\n${HOST}\r\n`;
  expect(await server.exchange(connectLine)).toMatch(/^HTTP\/1\.1 501 /);
  expect(await server.exchange(get("/things/7") + connectLine)).toMatch(
    /^HTTP\/1\.1 200 [^]*\{"id":"7"\}HTTP\/1\.1 501 /,
  );
});

/** A client that may close its sending side alone. */
async function openHalf(): Promise<Socket> {
  const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
}

test.each(["/waits", "/gone"])(
  "a client that has closed its sending side gets its answer, %s",
  async (path) => {
    await start();
    const socket = await openHalf();
    socket.end(get(path));
    await begun.promise;
    await fetch(`${server.url}/livez`);
    letGo.resolve();
    expect(await readAll(socket.on("end", () => socket.destroy()))).toMatch(
      /^HTTP\/1\.1 (?:102 Processing\r\n\r\nHTTP\/1\.1 )*200 [^]*\{"waited":true\}$/,
    );
  },
);

test("interim answers are for HTTP/1.1, and Node's client passes over them", async () => {
  await start();
  const old = await openHalf();
  old.end("GET /gone HTTP/1.0\r\n\r\n");
  const sent = request(`${server.url}/gone`, { agent: false });
  const interim = once(sent, "information");
  sent.end(() => sent.socket?.end());
  const answered = once(sent, "response") as Promise<[IncomingMessage]>;
  // Half-closed a little later than the other.
  expect(await interim).toMatchObject([{ statusCode: 102 }]);
  letGo.resolve();
  const [answer] = await answered;
  expect(answer.statusCode).toBe(200);
  answer.resume();
  expect(await readAll(old.on("end", () => old.destroy()))).toMatch(/^HTTP\/1\.1 200 /);
});

test.each(["destroy", "resetAndDestroy"] as const)(
  "work whose client has gone ends (%s)",
  async (leave) => {
    await start();
    const socket = await server.open();
    socket.write(get("/gone"));
    await begun.promise;
    socket[leave]();
    await left.promise;
    expect(counted).toBe(0);
  },
);

test.each([1, 20])("a client that sends %d MB in vain reads why", async (megabytes) => {
  await start();
  const body = Buffer.alloc(megabytes * 1024 * 1024, "a");
  const url = `${server.url}/json`;
  const headers = { "content-type": "application/json" };
  for (let round = 0; round < 3; round += 1) {
    const fetched = await fetch(url, { method: "POST", headers, body });
    expect(fetched.status).toBe(413);
    const sent = request(url, { method: "POST", headers, agent: false });
    sent.end(body);
    const [answer] = (await once(sent, "response")) as [
      NodeJS.ReadableStream & { statusCode: number },
    ];
    expect(answer.statusCode).toBe(413);
    expect(String(await buffer(answer))).toContain("urn:daykey:problem:body-too-large");
    if (!sent.closed) await once(sent, "close");
  }
});

test("one that reads only when it has sent all reads why, too (RFC 9112 §9.6)", async () => {
  await start();
  const socket = await server.open();
  socket.pause();
  const bytes = 16 * 1024 * 1024;
  const head = `POST /json HTTP/1.1\r\n${HOST}Content-Type: application/json\r\n`;
  socket.write(`${head}Content-Length: ${bytes}\r\n\r\n`);
  const error = await new Promise((sent) => socket.write(Buffer.alloc(bytes, "a"), sent));
  expect(error ?? "sent").toBe("sent");
  socket.resume();
  expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 413 /);
});

test("the body of a refused request is not asked for, that of another is", async () => {
  await start();
  const head = (path: string, type: string, bytes: number) =>
    `POST ${path} HTTP/1.1\r\n${HOST}Content-Type: ${type}\r\nContent-Length: ${bytes}\r\n` +
    "Expect: 100-continue\r\n\r\n";
  for (const refused of [
    head("/json", "application/json", 99_999_999),
    head("/json", "text/plain", 1),
    head("/nowhere", "text/plain", 1),
  ]) {
    const socket = await server.open();
    socket.write(refused);
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 4\d\d [^]*Connection: close/);
  }
  const socket = await server.open();
  socket.write(head("/json", "application/json", 1));
  const [interim] = (await once(socket, "data")) as [Buffer];
  expect(String(interim)).toBe("HTTP/1.1 100 Continue\r\n\r\n");
  socket.write("1");
  const [answer] = (await once(socket, "data")) as [Buffer];
  expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
  socket.destroy();
});
