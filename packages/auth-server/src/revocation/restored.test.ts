import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import {
  type Answer,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import { expectRefused, openGrant, rotate } from "../../test/refresh.ts";

let server: TestAuthServer;
let admin: TestAdmin;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
});
afterAll(() => server.stop());

/** What a backup from before has forgotten. */
async function restoreOlderBackup(): Promise<void> {
  for (const table of ["grants", "nonces", "revocations"]) {
    await server.database.query(`delete from daykey.${table}`);
  }
}

const byHash = (client: TestClient, client_secret_hash: string) =>
  server.token({
    grant_type: "client_credentials",
    client_id: client.clientId,
    client_secret_hash,
  });

test("R14: what a backup would revive is dead: used refresh tokens, revoked tokens, used one-time hashes", async () => {
  const client = await server.createClient();
  const { token } = await openGrant(server, client);
  const newest = await rotate(server, client, token);
  const revoked = await server.clientCredentials(client);
  const access = String(revoked.body["access_token"]);
  expect((await server.postAs(client, "/oauth2/revoke", { token: access })).status).toBe(200);
  const hash = await server.oneTime(client);
  expect((await byHash(client, hash)).status).toBe(200);

  await restoreOlderBackup();
  const { status, body } = await admin.post("/restored");
  expect([status, body]).toEqual([200, { clients: 2, restored_at: expect.any(String) }]);
  await server.look();

  expectRefused(await server.refresh(client, token));
  expectRefused(await server.refresh(client, newest));
  const { text } = await server.postAs(client, "/oauth2/introspect", { token: access });
  expect(text).toBe('{"active":false}');
  expect((await byHash(client, hash)).status).toBe(401);
});

test("afterwards everything works as before", async () => {
  const client = await server.createClient();
  await rotate(server, client, (await openGrant(server, client)).token);
  const hash = await server.oneTime(client, server.now() + 2);
  expect((await byHash(client, hash)).status).toBe(200);
});

/** Whether a token is active, by the word of this instance to the token's own client. */
async function isActive(at: TestAuthServer, by: TestClient, answer: Answer): Promise<unknown> {
  const token = String(answer.body["access_token"]);
  return (await at.postAs(by, "/oauth2/introspect", { token })).body["active"];
}

async function lastChange(): Promise<number> {
  const [row] = await server.database.query<{ last: number }>(
    "select last::int as last from daykey.change_counter",
  );
  return row?.last ?? 0;
}

test("no client's row is written and one entry is told, which ends all from before and nothing after", async () => {
  await server.database.query(
    `insert into daykey.clients (client_id, name, auth_methods, grant_types, scopes, resources)
     select 'many-' || i, 'many', '{}', '{}', '{}', '{}' from generate_series(1, 20000) i`,
  );
  admin = await createTestAdmin(server);
  const other = await startAuthServer({ database: server.database });
  const clients = [await server.createClient(), await server.createClient()];
  expect((await admin.post(`/clients/${clients[1]?.clientId}/revoke-tokens`)).status).toBe(200);
  await Promise.all([server.look(), other.look()]);
  const before = await Promise.all(clients.map((by) => server.clientCredentials(by)));
  const changesBefore = await lastChange();

  expect((await admin.post("/restored")).status).toBe(200);
  expect((await lastChange()) - changesBefore).toBe(1);
  await Promise.all([server.look(), other.look()]);
  const after = await Promise.all(clients.map((by) => server.clientCredentials(by)));
  const afterAtOther = await Promise.all(clients.map((by) => other.clientCredentials(by)));
  for (const at of [server, other]) {
    for (const [i, by] of clients.entries()) {
      expect(await isActive(at, by, before[i] as Answer)).toBe(false);
      expect(await isActive(at, by, after[i] as Answer)).toBe(true);
      expect(await isActive(at, by, afterAtOther[i] as Answer)).toBe(true);
    }
  }
  const news = await server.database.query(
    `select kind from daykey.revocations
     where change = (select last from daykey.change_counter) and expires_at > now()`,
  );
  expect(news).toEqual([{ kind: "issuer" }]);
  // What is ended afterwards is ended.
  admin = await createTestAdmin(server);
  expect((await admin.post(`/clients/${clients[1]?.clientId}/revoke-tokens`)).status).toBe(200);
  await Promise.all([server.look(), other.look()]);
  expect(await isActive(other, clients[1] as TestClient, after[1] as Answer)).toBe(false);
  expect(await isActive(other, clients[0] as TestClient, after[0] as Answer)).toBe(true);
  await other.stop();
});

test("the same backup restored again: tokens from between are dead too", async () => {
  const client = await server.createClient();
  admin = await createTestAdmin(server);
  const setFloor = (sql: string): Promise<unknown> =>
    server.database.query(`update daykey.change_counter set epoch_floor = ${sql}`);
  expect((await admin.post("/restored")).status).toBe(200);
  await setFloor("epoch_floor - 3600"); // It was an hour ago.
  await server.look();
  const between = await openGrant(server, client);
  await restoreOlderBackup();
  await setFloor("0, last = last - 1");
  await server.look();
  admin = await createTestAdmin(server);
  expect((await admin.post("/restored")).status).toBe(200);
  await server.look();
  expectRefused(await server.refresh(client, between.token));
});
