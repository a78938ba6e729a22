/** Authentication while the database is away: what memory holds is served, the rest is 503. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "@daykey/service/test/database";
import {
  type Answer,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../test/database-proxy.ts";

const UNAVAILABLE = {
  status: 503,
  body: {
    error: "temporarily_unavailable",
    error_description: "The server cannot answer now. Try again.",
  },
};

let database: TestDatabase;
let proxy: DatabaseProxy;
let server: TestAuthServer;
beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await startDatabaseProxy(database.appUrl);
  const config = { databaseUrl: proxy.url, databaseDirectUrl: proxy.url };
  server = await startAuthServer({ config, database });
});
afterAll(async () => {
  await server.stop();
  await proxy.stop();
  await database.drop();
});
afterEach(async () => {
  vi.restoreAllMocks();
  proxy.restore();
  await server.look();
});

async function cachedClient(): Promise<TestClient> {
  const client = await server.createClient();
  // The news of it may come late, and would have it read again.
  await server.look();
  expect((await server.clientCredentials(client)).status).toBe(200);
  return client;
}

async function once(client: TestClient, client_secret_hash: string): Promise<Answer> {
  const form = { grant_type: "client_credentials", client_id: client.clientId };
  return server.token({ ...form, client_secret_hash });
}

/** Freshness is measured by the process's own time. */
function letPass(seconds: number): void {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, "now").mockImplementation(() => now() + seconds * 1000);
}

describe("without the database", () => {
  test("a client in memory gets tokens by the day form and by its secret", async () => {
    const client = await cachedClient();
    proxy.cut();
    expect((await server.clientCredentials(client)).status).toBe(200);
    const { clientId: client_id, clientSecret: client_secret } = client;
    const form = { grant_type: "client_credentials", client_id, client_secret };
    expect((await server.token(form)).status).toBe(200);
    expect((await once(client, "0".repeat(64))).status).toBe(401);
  });

  test("a one-time hash is 503, and is good still once the database is back", async () => {
    const client = await cachedClient();
    const hash = await server.oneTime(client);
    proxy.cut();
    const { status, headers, body } = await once(client, hash);
    expect({ status, body }).toEqual(UNAVAILABLE);
    expect(headers.get("retry-after")).toBe("1");
    proxy.restore();
    await expect.poll(async () => (await once(client, hash)).status).toBe(200);
    expect((await once(client, hash)).status).toBe(401);
  });

  test("a client that is not in memory is 503, known or not, and is served by itself later", async () => {
    const client = await server.createClient();
    proxy.cut();
    for (const id of [client.clientId, "unknown-in-an-outage"]) {
      const { status, body } = await server.clientCredentials({ ...client, clientId: id });
      expect({ status, body }).toEqual(UNAVAILABLE);
    }
    proxy.restore();
    await expect.poll(async () => (await server.clientCredentials(client)).status).toBe(200);
  });

  test("503s are no bad credentials: they do not count, and say nothing of the client", async () => {
    const client = await server.createClient();
    proxy.cut();
    const answer = await server.clientCredentials(client);
    const requestId = answer.headers.get("x-request-id");
    expect(
      server.lines.find((line) => line["requestId"] === requestId && line["status"]),
    ).toMatchObject({ reason: "database_unavailable", status: 503 });
  });

  test("ISSUE_STALE ends it: then a client in memory is 503 too, until the database is read", async () => {
    const client = await cachedClient();
    await server.look();
    proxy.cut();
    letPass(server.config.issueStaleSeconds - 5);
    expect((await server.clientCredentials(client)).status).toBe(200);
    vi.restoreAllMocks();
    letPass(server.config.issueStaleSeconds + 1);
    const { status, headers, body } = await server.clientCredentials(client);
    expect({ status, body }).toEqual(UNAVAILABLE);
    expect(headers.get("retry-after")).toBe("2");
    proxy.restore();
    await expect.poll(() => server.look().then(() => statusOf(client))).toBe(200);
  });
});

async function statusOf(client: TestClient): Promise<number> {
  return (await server.clientCredentials(client)).status;
}

describe("a change is seen", () => {
  test("by its notification: a disabled client is refused, an enabled one served", async () => {
    const client = await cachedClient();
    const enable = (enabled: boolean): Promise<unknown> =>
      database.query("update daykey.clients set enabled = $2 where client_id = $1", [
        client.clientId,
        enabled,
      ]);
    await enable(false);
    await expect.poll(() => statusOf(client), { timeout: 10_000 }).toBe(401);
    await enable(true);
    await expect.poll(() => statusOf(client), { timeout: 10_000 }).toBe(200);
  });

  test("C13: a revoked secret is refused at once, the client's other one is not", async () => {
    const client = await cachedClient();
    const other = { ...client, ...(await server.addSecret(client.clientId)) };
    expect([await statusOf(client), await statusOf(other)]).toEqual([200, 200]);
    await database.query("update daykey.secrets set revoked_at = now() where kid = $1", [
      client.kid,
    ]);
    await server.look();
    expect([await statusOf(client), await statusOf(other)]).toEqual([401, 200]);
  });

  test("when it was made while the server could not hear of it", async () => {
    const client = await cachedClient();
    proxy.cut();
    await database.query("update daykey.clients set enabled = false where client_id = $1", [
      client.clientId,
    ]);
    expect(await statusOf(client)).toBe(200);
    proxy.restore();
    await expect.poll(() => statusOf(client), { timeout: 10_000 }).toBe(401);
  });
});
