/** When a refresh token ends: by time, with its client, with the credential that opened its grant. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startAuthServer, type TestAuthServer, type TestClient } from "../../test/auth-server.ts";
import {
  ageRotation,
  expectRefused,
  grantRow,
  lastReason,
  openGrant,
  readToken,
  rotate,
} from "../../test/refresh.ts";

const DAY = 86_400;

let server: TestAuthServer;
beforeAll(async () => {
  server = await startAuthServer();
});
afterEach(() => {
  server.advance(Date.now() / 1000 - server.now());
});
afterAll(() => server.stop());

/** Refused for `reason`, and no row written or changed. */
async function expectDead(client: TestClient, token: string, reason: string): Promise<void> {
  const { id } = readToken(token).grant;
  const row = await grantRow(server.database, id);
  expectRefused(await server.refresh(client, token));
  expect(lastReason(server)).toBe(reason);
  expect(await grantRow(server.database, id)).toEqual(row);
}

async function change(client: TestClient, assignments: string): Promise<void> {
  await server.database.query(`update daykey.clients set ${assignments} where client_id = $1`, [
    client.clientId,
  ]);
  await server.look();
}

test("R5: the absolute end is seven days after the opening, and no refresh moves it", async () => {
  const client = await server.createClient({ refreshIdleSeconds: 30 * DAY });
  const { token } = await openGrant(server, client);
  const end = readToken(token).grant.expiresAt;
  expect(end).toBeCloseTo(server.now() + 7 * DAY, -1);
  let newest = token;
  for (const days of [3, 3]) {
    server.advance(days * DAY);
    newest = await rotate(server, client, newest);
    expect(readToken(newest).grant.expiresAt).toBe(end);
  }
  server.advance(end - 5 - server.now());
  newest = await rotate(server, client, newest);
  server.advance(end - server.now());
  await expectDead(client, newest, "absolute_end");
});

test("R5: unused for a day a refresh token is dead, used or not before", async () => {
  const client = await server.createClient();
  const { token } = await openGrant(server, client);
  server.advance(DAY - 5);
  const unused = await openGrant(server, client);
  await rotate(server, client, token);
  server.advance(5);
  await expectDead(client, token, "idle_end");
  server.advance(DAY - 5);
  await expectDead(client, unused.token, "idle_end");
});

test("R5: a client's own lifetimes count instead of the server's", async () => {
  const client = await server.createClient({
    refreshIdleSeconds: 100,
    refreshAbsoluteSeconds: 1000,
  });
  const idle = await openGrant(server, client);
  const { grant, issuedAt } = readToken(idle.token);
  expect(grant.expiresAt).toBe(issuedAt + 1000);
  server.advance(95);
  await rotate(server, client, idle.token);
  const other = await openGrant(server, client);
  server.advance(101);
  await expectDead(client, other.token, "idle_end");
});

test("R5: no client's grant lives longer than REFRESH_ABSOLUTE_MAX", async () => {
  const client = await server.createClient();
  await change(client, "refresh_absolute_seconds = 365 * 86400");
  const { token } = await openGrant(server, client);
  const { grant, issuedAt } = readToken(token);
  expect(grant.expiresAt).toBe(issuedAt + server.config.refreshAbsoluteMaxSeconds);
});

test("R9: disabling a client ends its grants, and enabling does not revive them", async () => {
  const client = await server.createClient();
  const { token } = await openGrant(server, client);
  const used = await openGrant(server, client);
  const newest = await rotate(server, client, used.token);
  await change(client, "enabled = false, epoch = epoch + 1");
  const { status, body } = await server.refresh(client, newest);
  expect([status, body["error"]]).toEqual([401, "invalid_client"]);
  await change(client, "enabled = true");
  for (const dead of [token, newest, used.token]) await expectDead(client, dead, "epoch");
  await rotate(server, client, (await openGrant(server, client)).token);
});

test("R9: all tokens revoked (a higher epoch): earlier grants are dead, later ones live", async () => {
  const client = await server.createClient();
  const before = await openGrant(server, client);
  await change(client, "epoch = epoch + 1");
  const between = await openGrant(server, client);
  await change(client, "epoch = epoch + 1");
  const after = await openGrant(server, client);
  expect(readToken(after.token).grant.epoch).toBe(2);
  await expectDead(client, before.token, "epoch");
  await expectDead(client, between.token, "epoch");
  await rotate(server, client, after.token);
});

test("R9: revoking a secret ends what it opened, and nothing that another opened", async () => {
  const first = await server.createClient();
  const second = await server.addSecret(first.clientId);
  const byFirst = await openGrant(server, first);
  const bySecond = await openGrant(server, second);
  await server.database.query("update daykey.secrets set revoked_at = now() where kid = $1", [
    first.kid,
  ]);
  await server.look();
  await expectDead(second, byFirst.token, "credential_revoked");
  await rotate(server, second, bySecond.token);
});

test("R9: a secret's natural end does not end its grants", async () => {
  const first = await server.createClient();
  const second = await server.addSecret(first.clientId);
  const { token } = await openGrant(server, first);
  await server.database.query(
    "update daykey.secrets set expires_at = to_timestamp($2) where kid = $1",
    [first.kid, server.now() - 10],
  );
  await server.look();
  expect((await server.refresh(first, token)).status).toBe(401);
  await rotate(server, second, token);
});

test("a deleted client's grants are dead", async () => {
  const client = await server.createClient();
  const { id, token } = await openGrant(server, client);
  await change(client, "deleted_at = now()");
  expect((await server.refresh(client, token)).status).toBe(401);
  expect(await grantRow(server.database, id)).toBeUndefined();
});

test("T12: the row's times are the database's, wherever the server's clock stands", async () => {
  const client = await server.createClient();
  const { id, token } = await openGrant(server, client);
  const successor = await rotate(server, client, token);
  server.advance(3600);
  expect(await rotate(server, client, token)).toBe(successor);
  server.advance(-3600);
  await ageRotation(server.database, id, 61);
  expectRefused(await server.refresh(client, token));
  expect(await grantRow(server.database, id)).toMatchObject({ revoke_reason: "late_retry" });
});
