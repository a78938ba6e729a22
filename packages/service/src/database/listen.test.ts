import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";

import { createTestDatabase, type TestDatabase } from "../../test/database.ts";
import { createTestLog } from "../../test/log.ts";
import { createListener, type Listener } from "./listen.ts";

let home: TestDatabase;
let listener: Listener | undefined;
let events: string[];
const { log, lines } = createTestLog();

beforeEach(async () => {
  home = await createTestDatabase({ empty: true });
  events = [];
});

afterEach(async () => {
  await listener?.close();
  await home.drop();
});

function listen({ connectionString = home.appUrl, heartbeatSeconds = 60 } = {}): Listener {
  return createListener({
    connectionString,
    channel: 'odd "channel',
    onNotify: (payload) => events.push(payload),
    onConnect: () => events.push("(connected)"),
    log,
    heartbeatSeconds,
  });
}

const notify = (payload: string) => home.query("select pg_notify('odd \"channel', $1)", [payload]);
const cut = () =>
  home.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );

test("a notification reaches the listener, also without a payload", async () => {
  listener = listen();
  await expect.poll(() => events).toEqual(["(connected)"]);
  await notify("one");
  await notify("");
  await expect.poll(() => events).toEqual(["(connected)", "one", ""]);
  expect(listener.connected()).toBe(true);
});

test("a listener that was cut off comes back, says so, and hears again", async () => {
  listener = listen();
  await expect.poll(() => events).toEqual(["(connected)"]);
  await cut();
  await expect.poll(() => events).toEqual(["(connected)", "(connected)"]);
  await notify("two");
  await expect.poll(() => events).toEqual(["(connected)", "(connected)", "two"]);
});

test("a listener is kept where sessions that do nothing are ended soon", async () => {
  const name = new URL(home.adminUrl).pathname.slice(1);
  await home.query(`alter role daykey_app in database ${name} set idle_session_timeout to '50ms'`);
  listener = listen();
  await expect.poll(() => events).toEqual(["(connected)"]);
  // Another that began later is ended twice meanwhile.
  for (let round = 0; round < 2; round++) {
    const other = new pg.Client({ connectionString: home.appUrl });
    const ended = new Promise((resolve) => other.on("error", resolve));
    await other.connect();
    expect(await ended).toMatchObject({ code: "57P05" });
  }
  await notify("three");
  await expect.poll(() => events).toEqual(["(connected)", "three"]);
});

test("a listener keeps trying while the database cannot be had", async () => {
  const name = new URL(home.adminUrl).pathname.slice(1);
  await home.query(`alter database ${name} connection limit 0`);
  listener = listen();
  expect(listener.connected()).toBe(false);
  // Told in the server's name, with what it says.
  await expect
    .poll(() => lines.find(({ msg }) => msg === "cannot listen to the database"))
    .toMatchObject({
      err: { message: expect.stringMatching(/^The database at .+ has no connection left for us/) },
    });
  await home.query(`alter database ${name} connection limit -1`);
  await expect.poll(() => events, { timeout: 5000 }).toEqual(["(connected)"]);
});

test("a closed listener has no connection, and closing it while it waits works too", async () => {
  listener = listen();
  await expect.poll(() => events).toEqual(["(connected)"]);
  await listener.close();
  expect(listener.connected()).toBe(false);
  const waiting = listen({ connectionString: "postgresql://daykey_app@127.0.0.1:1/none" });
  await waiting.close();
});

test("a connection that falls silent is noticed and replaced", async () => {
  const proxy = await startProxy();
  listener = listen({ connectionString: proxy.url, heartbeatSeconds: 0.3 });
  await expect.poll(() => events).toEqual(["(connected)"]);
  proxy.freeze();
  await expect.poll(() => events, { timeout: 5000 }).toEqual(["(connected)", "(connected)"]);
  await listener.close();
  proxy.close();
});

/** Valid in PostgreSQL's protocol at any time, and no answer to anything. */
const NOTICE = Buffer.from([0x4e, 0, 0, 0, 5, 0]);

const HOSTILE: [title: string, answer: (socket: Socket) => void][] = [
  ["nothing", () => {}],
  [
    "notices for ever",
    (socket) => {
      const timer = setInterval(() => socket.write(NOTICE), 20);
      socket.once("close", () => clearInterval(timer));
    },
  ],
  ["what is no PostgreSQL", (socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n")],
];

/** A server that answers this to whoever connects, and never ends a connection by itself. */
async function startHostile(answer: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket.on("error", () => {}).resume());
    answer(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `postgresql://a@127.0.0.1:${(server.address() as AddressInfo).port}/a`,
    sockets,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

test.each(HOSTILE)("a database that says %s keeps nobody from closing", async (_, answer) => {
  const hostile = await startHostile(answer);
  listener = listen({ connectionString: hostile.url });
  await expect.poll(() => hostile.sockets.length).toBeGreaterThan(0);
  // The time limit of the connection itself is longer than a test may take.
  await listener.close();
  expect(events).toEqual([]);
  hostile.close();
});

test.each(HOSTILE)("a database that says %s is left, connection and all", async (_, answer) => {
  const hostile = await startHostile(answer);
  listener = listen({ connectionString: hostile.url, heartbeatSeconds: 0.1 });
  await expect.poll(() => hostile.sockets.length).toBeGreaterThan(2);
  // Only to a connection that is closed on the other side nothing can be written.
  const [first] = hostile.sockets;
  const writing = setInterval(() => first?.write(NOTICE), 20);
  await expect.poll(() => first?.closed).toBe(true);
  clearInterval(writing);
  hostile.close();
});

test("a database that does not answer LISTEN is left, and tried again", async () => {
  const proxy = await startProxy({ deafTo: "listen", times: 2 });
  listener = listen({ connectionString: proxy.url, heartbeatSeconds: 0.3 });
  await expect.poll(() => events).toEqual(["(connected)"]);
  expect(proxy.wasDeaf()).toBe(2);
  await listener.close();
  proxy.close();
});

/** A way to the database whose present connections can be made to pass nothing on, or from a word on. */
async function startProxy({ deafTo = "", times = 0 } = {}) {
  const target = new URL(home.appUrl);
  const directory = target.searchParams.get("host");
  const { hostname } = target;
  const port = target.port || "5432";
  const sockets = new Set<Socket>();
  let wasDeaf = 0;
  const server = createServer((near) => {
    near.on("data", (bytes) => {
      if (wasDeaf >= times || !bytes.includes(deafTo)) return;
      wasDeaf += 1;
      far.unpipe().pause();
    });
    const far =
      directory === null
        ? connect(Number(port), hostname)
        : connect(`${directory}/.s.PGSQL.${port}`);
    for (const socket of [near, far]) sockets.add(socket.on("error", () => {}));
    near.pipe(far).pipe(near);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  target.searchParams.delete("host");
  target.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: target.href,
    wasDeaf: () => wasDeaf,
    freeze: () => sockets.forEach((socket) => socket.unpipe().pause()),
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
