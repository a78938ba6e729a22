/** The server as a whole: what it does while its database fails, and what it refuses to start on. */
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { text as textOf } from "node:stream/consumers";
import { afterEach, expect, test, vi } from "vitest";
import { createTestDatabase } from "@daykey/service/test/database";
import { type Answer, startAuthServer, type TestAuthServer } from "../test/auth-server.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../test/database-proxy.ts";
import { grantRow, openGrant, readToken, refreshTokenOf, rotate } from "../test/refresh.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const stop of stops.splice(0).toReversed()) await stop();
});

async function start(options: Parameters<typeof startAuthServer>[0] = {}): Promise<TestAuthServer> {
  const server = await startAuthServer(options);
  stops.push(() => server.stop());
  return server;
}

/** A server that reaches its database by way of a proxy only. */
async function startBehindProxy(
  config: NonNullable<Parameters<typeof startAuthServer>[0]>["config"] = {},
): Promise<{ server: TestAuthServer; proxy: DatabaseProxy }> {
  const database = await createTestDatabase();
  stops.push(() => database.drop());
  const proxy = await startDatabaseProxy(database.appUrl);
  stops.push(() => proxy.stop());
  const server = await start({
    database,
    config: { databaseUrl: proxy.url, databaseDirectUrl: proxy.url, ...config },
  });
  return { server, proxy };
}

const UNAVAILABLE = {
  error: "temporarily_unavailable",
  error_description: "The server cannot answer now. Try again.",
};

function expectUnavailable({ status, headers, body }: Answer): void {
  expect(status).toBe(503);
  expect(body).toEqual(UNAVAILABLE);
  expect(headers.get("retry-after")).toMatch(/^[1-9]\d?$/);
  expect(headers.get("cache-control")).toBe("no-store");
}

async function readiness({ url }: TestAuthServer): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, body: await response.json() };
}

test("database down: a refresh is 503, issuing goes on, and all recovers by itself", async () => {
  const { server, proxy } = await startBehindProxy();
  const client = await server.createClient();
  await server.look();
  const { id, token } = await openGrant(server, client);
  proxy.cut();
  for (let i = 0; i < 3; i++) expectUnavailable(await server.refresh(client, token));
  expect((await server.clientCredentials(client)).status).toBe(200);
  expect(await grantRow(server.database, id)).toBeUndefined();
  proxy.restore();
  const successor = await rotate(server, client, token);
  expect(readToken(successor).seq).toBe(1);
});

test("ISSUE_STALE: from memory tokens are issued so long and no longer, then 503 and not ready", async () => {
  const { server, proxy } = await startBehindProxy({ issueStaleSeconds: 4 });
  const client = await server.createClient();
  await server.look();
  expect((await server.clientCredentials(client)).status).toBe(200);
  expect(await readiness(server)).toEqual({ status: 200, body: { status: "ready" } });
  proxy.cut();
  const patience = { timeout: 10_000, interval: 100 };
  await vi.waitFor(async () => expectUnavailable(await server.clientCredentials(client)), patience);
  expect(await readiness(server)).toEqual({
    status: 503,
    body: { status: "not ready", faults: { database: "cannot be read" } },
  });
  proxy.restore();
  await server.look();
  expect((await server.clientCredentials(client)).status).toBe(200);
  expect((await readiness(server)).status).toBe(200);
});

test("connection cut after the commit and before the answer: 503, and the retry gets the successor", async () => {
  const { server, proxy } = await startBehindProxy();
  const client = await server.createClient();
  const opened = await openGrant(server, client);
  let { token } = opened;
  for (let seq = 1; seq <= 3; seq++) {
    proxy.loseAnswerTo("rotate-grants");
    expectUnavailable(await server.refresh(client, token));
    expect(await grantRow(server.database, opened.id)).toMatchObject({ seq });
    const again = await server.refresh(client, token);
    expect(again.status, again.text).toBe(200);
    expect(readToken(refreshTokenOf(again)).seq).toBe(seq);
    token = refreshTokenOf(again);
  }
  expect(await grantRow(server.database, opened.id)).toMatchObject({
    seq: 3,
    revoke_reason: null,
  });
});

test("H8: a failing INSERT is a 500 without a leak, nothing is half done, the token works on", async () => {
  const server = await start();
  const client = await server.createClient();
  const { id, token } = await openGrant(server, client);
  await server.database.query(`
    create function fail() returns trigger language plpgsql as
      $$ begin raise exception 'canary %', new.id; end $$;
    create trigger fail before insert on daykey.grants for each row execute function fail()`);
  const { status, text, headers } = await server.refresh(client, token);
  expect(status).toBe(500);
  expect(text).toBe(
    '{"error":"server_error","error_description":"The server met an unexpected condition."}',
  );
  expect(headers.get("cache-control")).toBe("no-store");
  expect(await grantRow(server.database, id)).toBeUndefined();
  expect(JSON.stringify(server.lines)).not.toContain(token.slice(-43));

  await server.database.query("drop trigger fail on daykey.grants");
  expect(readToken(await rotate(server, client, token)).seq).toBe(1);
});

test("a failing UPDATE leaves the row as it was", async () => {
  const server = await start();
  const client = await server.createClient();
  const { id, token } = await openGrant(server, client);
  const successor = await rotate(server, client, token);
  const row = await grantRow(server.database, id);
  await server.database.query(`
    create function fail() returns trigger language plpgsql as
      $$ begin raise exception 'canary'; end $$;
    create trigger fail before update on daykey.grants for each row execute function fail()`);
  expect((await server.refresh(client, successor)).status).toBe(500);
  expect(await grantRow(server.database, id)).toEqual(row);
  await server.database.query("drop trigger fail on daykey.grants");
  expect(readToken(await rotate(server, client, successor)).seq).toBe(2);
});

test("the first page of each listener says what it is, and its links lead somewhere", async () => {
  const server = await start();
  for (const url of [server.url, server.privateUrl]) {
    const page = await fetch(`${url}/`, { headers: { accept: "text/html" } });
    expect(await page.text()).toContain("<h1>Daykey auth-server");
    const { links } = (await (await fetch(url)).json()) as { links: Record<string, string> };
    for (const link of Object.values(links)) {
      // The console is there too, for who is signed in.
      expect((await fetch(url + link)).status, link).toBe(link === "/console" ? 401 : 200);
    }
  }
});

test("a client that has closed its sending side gets its token, whatever the answer waits for", async () => {
  const server = await start();
  const client = await server.createClient();
  const { host, port } = new URL(server.url);
  const fields = { grant_type: "client_credentials", client_id: client.clientId };
  const hash = await server.oneTime(client);
  const body = String(new URLSearchParams({ ...fields, client_secret_hash: hash }));
  const socket = connect({ port: Number(port), host: "127.0.0.1", allowHalfOpen: true });
  socket.end(
    `POST /oauth2/token HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\n` +
      `Content-Type: application/x-www-form-urlencoded\r\n\r\n${body}`,
  );
  expect(await textOf(socket)).toMatch(/^HTTP\/1\.1 200 [^]*"access_token"/);
});

const CLOCK = "its clock differs from this machine's by more than 5 s";

test("more than 5 s off the database's clock: not ready, on both listeners", async () => {
  const server = await start();
  for (const [offset, isReady] of [
    [4, true],
    [6, false],
    [-4, true],
    [-6, false],
  ] as const) {
    server.advance(Date.now() / 1000 + offset - server.now());
    await server.look();
    for (const url of [server.url, server.privateUrl]) {
      const response = await fetch(`${url}/readyz`);
      expect(response.status, `offset ${offset}`).toBe(isReady ? 200 : 503);
      expect(await response.json()).toEqual(
        isReady ? { status: "ready" } : { status: "not ready", faults: { database: CLOCK } },
      );
    }
  }
});

test("a database without its schema, or sealed by another master key: no start", async () => {
  const empty = await createTestDatabase({ empty: true });
  stops.push(() => empty.drop());
  await expect(startAuthServer({ database: empty })).rejects.toThrow(
    /^The database lacks 0001-initial[\w, -]*\. Run the auth-server's migrate command first\.$/,
  );
  const { database } = await start();
  const masterKey = createHash("sha256").update("another").digest("hex");
  await expect(startAuthServer({ database, config: { masterKey } })).rejects.toThrow(
    /^MASTER_KEY is not the key this database was sealed with/,
  );
});

test("a refresh token issued before a restart of the server is good after it", async () => {
  const first = await start();
  const client = await first.createClient();
  const { token } = await openGrant(first, client);
  const second = await start({ database: first.database });
  const successor = await rotate(second, client, token);
  expect(await rotate(first, client, token)).toBe(successor);
});

test("a passphrase as the master key: two servers share it, another one does not start", async () => {
  const masterKey = "passphrase:correct horse battery staple";
  const first = await start({ config: { masterKey } });
  const second = await start({ database: first.database, config: { masterKey } });
  const client = await first.createClient();
  const { token } = await openGrant(first, client);
  await rotate(second, client, token);
  await expect(
    startAuthServer({ database: first.database, config: { masterKey: `${masterKey}r` } }),
  ).rejects.toThrow(/^MASTER_KEY is not the key/);
});

test("both listeners keep idle connections for KEEP_ALIVE_SECONDS, and say so", async () => {
  const server = await start({ config: { keepAliveSeconds: 7 } });
  for (const origin of [server.url, server.privateUrl]) {
    const { headers } = await fetch(`${origin}/livez`);
    expect(headers.get("keep-alive")).toBe("timeout=7");
  }
});
