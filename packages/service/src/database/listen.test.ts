import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

import { afterEach, beforeEach, expect, test } from "vitest";

import { createTestDatabase, type TestDatabase } from "../../test/database.ts";
import { createTestLog } from "../../test/log.ts";
import { createListener, type Listener } from "./listen.ts";

let home: TestDatabase;
let listener: Listener | undefined;
let events: string[];
const { log } = createTestLog();

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

test("a listener keeps trying while the database cannot be had", async () => {
  const name = new URL(home.adminUrl).pathname.slice(1);
  await home.query(`alter database ${name} connection limit 0`);
  listener = listen();
  expect(listener.connected()).toBe(false);
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

/** A way to the database whose present connections can be made to pass nothing on. */
async function startProxy() {
  const target = new URL(home.appUrl);
  const directory = target.searchParams.get("host");
  const { hostname } = target;
  const port = target.port || "5432";
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
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
    freeze: () => sockets.forEach((socket) => socket.unpipe().pause()),
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
