import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import { startAuthServer, type TestAuthServer, type TestClient } from "../../test/auth-server.ts";
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
