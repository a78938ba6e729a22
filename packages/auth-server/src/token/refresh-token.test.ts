/** The table of docs/protocol.md §2, row by row, and what never gets as far as the grant's row. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeJwt } from "jose";
import { startAuthServer, type TestAuthServer, type TestClient } from "../../test/auth-server.ts";
import {
  ageRotation,
  expectRefused,
  grantRow,
  keyIdOf,
  lastReason,
  openGrant,
  readToken,
  refreshTokenOf,
  rotate,
  securityEvents,
} from "../../test/refresh.ts";

let server: TestAuthServer;
let client: TestClient;
beforeAll(async () => {
  server = await startAuthServer();
  client = await server.createClient();
});
afterAll(() => server.stop());

test("p = 0 and no row: a new pair of the same grant, and its only row", async () => {
  const first = await server.clientCredentials(client);
  const { grant, seq } = readToken(refreshTokenOf(first));
  expect(seq).toBe(0);
  expect(await grantRow(server.database, grant.id)).toBeUndefined();

  const second = await server.refresh(client, refreshTokenOf(first));
  expect(second.status, second.text).toBe(200);
  expect(second.headers.get("cache-control")).toBe("no-store");
  expect(second.body).toEqual({
    access_token: expect.any(String),
    token_type: "Bearer",
    expires_in: 600,
    scope: "time:read primes:check",
    refresh_token: expect.stringMatching(/^dkr1\./),
  });
  const [old, fresh] = [first, second].map(({ body }) => decodeJwt(String(body["access_token"])));
  expect(fresh).toEqual({
    ...old,
    iat: expect.any(Number),
    exp: Number(fresh?.iat) + 600,
    jti: fresh?.jti,
  });
  expect(fresh?.jti).not.toBe(old?.jti);
  expect(await grantRow(server.database, grant.id)).toEqual({
    client_id: client.clientId,
    seq: 1,
    rotated_at: expect.any(Date),
    revoked_at: null,
    revoke_reason: null,
    expires_at: new Date(grant.expiresAt * 1000),
  });
});

test("p = n: rotates to n + 1, the time of which is the row's", async () => {
  const { id, token } = await openGrant(server, client);
  let presented = token;
  for (let n = 1; n <= 5; n++) {
    presented = await rotate(server, client, presented);
    const row = await grantRow(server.database, id);
    expect(row?.seq).toBe(n);
    expect(readToken(presented)).toEqual({
      grant: readToken(token).grant,
      seq: n,
      issuedAt: Math.floor(Number(row?.rotated_at) / 1000),
    });
  }
});

test("R2: p = n − 1 at once: the same successor, byte for byte, and nothing changed", async () => {
  const { id, token } = await openGrant(server, client);
  for (let presented = token, n = 1; n <= 3; n++) {
    const answered = await server.refresh(client, presented);
    const row = await grantRow(server.database, id);
    const again = await server.refresh(client, presented);
    expect(again.status, again.text).toBe(200);
    expect(refreshTokenOf(again)).toBe(refreshTokenOf(answered));
    expect(again.body["access_token"]).not.toBe(answered.body["access_token"]);
    expect(await grantRow(server.database, id)).toEqual(row);
    presented = refreshTokenOf(answered);
  }
});

test("R2: p = n − 1 at 30 s and at 59 s: still the successor of the rotation", async () => {
  const { id, token } = await openGrant(server, client);
  const successor = readToken(await rotate(server, client, token));
  for (const [seconds, since] of [
    [30, 30],
    [29, 59],
  ] as const) {
    await ageRotation(server.database, id, seconds);
    const late = await rotate(server, client, token);
    expect(readToken(late)).toEqual({ ...successor, issuedAt: successor.issuedAt - since });
    expect(await rotate(server, client, token)).toBe(late);
  }
});

test("p = n − 1 later than 60 s: the grant is revoked, its newest token dead too", async () => {
  const { id, token } = await openGrant(server, client);
  const newest = await rotate(server, client, token);
  await ageRotation(server.database, id, 60);
  expectRefused(await server.refresh(client, token));
  expect(await grantRow(server.database, id)).toMatchObject({
    seq: 1,
    revoke_reason: "late_retry",
  });
  expect(securityEvents(server, id)).toEqual(["refresh_late_retry"]);
  for (const dead of [newest, token]) expectRefused(await server.refresh(client, dead));
  expect(lastReason(server)).toBe("revoked");
});

test("R3 (RFC 9700 §4.14.2): p < n − 1 revokes the grant, its newest token dead too", async () => {
  const { id, token } = await openGrant(server, client);
  const second = await rotate(server, client, token);
  const third = await rotate(server, client, second);
  expectRefused(await server.refresh(client, token));
  expect(await grantRow(server.database, id)).toMatchObject({ seq: 2, revoke_reason: "reuse" });
  expect(securityEvents(server, id)).toEqual(["refresh_reuse"]);
  for (const dead of [third, second, token]) expectRefused(await server.refresh(client, dead));
  expect(securityEvents(server, id)).toEqual(["refresh_reuse"]);
});

test("a revoked grant keeps the time and reason of its first revocation", async () => {
  const { id, token } = await openGrant(server, client);
  const newest = await rotate(server, client, await rotate(server, client, token));
  expectRefused(await server.refresh(client, token));
  const row = await grantRow(server.database, id);
  await ageRotation(server.database, id, 61);
  for (const dead of [token, newest]) expectRefused(await server.refresh(client, dead));
  expect(await grantRow(server.database, id)).toEqual({ ...row, rotated_at: expect.any(Date) });
});

test("p > n, as after a restored backup: refused with a security event, the row untouched", async () => {
  const { id, token } = await openGrant(server, client);
  const newest = await rotate(server, client, await rotate(server, client, token));
  await server.database.query("update daykey.grants set seq = 1 where id = $1", [id]);
  const row = await grantRow(server.database, id);
  expectRefused(await server.refresh(client, newest));
  expect(securityEvents(server, id)).toEqual(["refresh_unknown_number"]);
  expect(await grantRow(server.database, id)).toEqual(row);
});

test("p > 0 and no row: refused with a security event, and still no row", async () => {
  const { id, token } = await openGrant(server, client);
  const newest = await rotate(server, client, token);
  await server.database.query("delete from daykey.grants where id = $1", [id]);
  expectRefused(await server.refresh(client, newest));
  expect(securityEvents(server, id)).toEqual(["refresh_unknown_number"]);
  expect(await grantRow(server.database, id)).toBeUndefined();
});

test("R7: another client's token is refused, nothing written, security event logged", async () => {
  const { id, token } = await openGrant(server, client);
  const successor = await rotate(server, client, token);
  const row = await grantRow(server.database, id);
  const thief = await server.createClient();
  for (const stolen of [token, successor]) expectRefused(await server.refresh(thief, stolen));
  const unused = await openGrant(server, client);
  expectRefused(await server.refresh(thief, unused.token));

  expect(await grantRow(server.database, id)).toEqual(row);
  expect(await grantRow(server.database, unused.id)).toBeUndefined();
  const events = server.lines.filter((line) => line["event"] === "other_clients_refresh_token");
  expect(events).toHaveLength(3);
  expect(events[0]).toMatchObject({ client: thief.clientId, owner: client.clientId, grant: id });
  await rotate(server, client, successor);
});

test("garbage is refused like every other token", async () => {
  const { token } = await openGrant(server, client);
  const [, keyId, payload, tag] = token.split(".");
  const otherTag = Buffer.alloc(32).toString("base64url");
  for (const [garbage, reason] of [
    ["x", "malformed_refresh_token"],
    ["dkr1", "malformed_refresh_token"],
    [token.toUpperCase(), "malformed_refresh_token"],
    [` ${token}`, "malformed_refresh_token"],
    [`${token}.`, "malformed_refresh_token"],
    [`dkr2.${keyId}.${payload}.${tag}`, "malformed_refresh_token"],
    [`dkr1.${keyId}.${"A".repeat(6000)}.${tag}`, "malformed_refresh_token"],
    [`dkr1.zzzzzzzz.${payload}.${tag}`, "unknown_refresh_key"],
    [`dkr1.${keyId}.${payload}.${otherTag}`, "forged_refresh_token"],
    [`dkr1.${keyId}.${payload}A.${tag}`, "malformed_refresh_token"],
    [`dkr1.${keyId}.AAAA.${tag}`, "forged_refresh_token"],
  ] as const) {
    expectRefused(await server.refresh(client, garbage));
    expect(lastReason(server), garbage).toBe(reason);
  }
  expectRefused(await server.refresh(client, `dkr1.${keyIdOf(token)}.${payload}`));
});

test("an access token is no refresh token", async () => {
  const { body } = await server.clientCredentials(client);
  expectRefused(await server.refresh(client, body["access_token"]));
});

test("RFC 6749 §6: without refresh_token the request is invalid", async () => {
  const { status, body } = await server.refresh(client, "");
  expect(status).toBe(400);
  expect(body).toEqual({
    error: "invalid_request",
    error_description: "The parameter refresh_token is missing.",
  });
});

test("R8: a failed client authentication never touches the row", async () => {
  const { id, token } = await openGrant(server, client);
  const newest = await rotate(server, client, await rotate(server, client, token));
  const unused = await openGrant(server, client);
  const row = await grantRow(server.database, id);
  for (const presented of [token, newest, unused.token]) {
    for (const form of [
      { client_secret_hash: "0".repeat(64) },
      { client_secret_hash: "" },
      { client_id: "nobody" },
      { client_secret: "one too many" },
    ]) {
      const { status } = await server.refresh(client, presented, form);
      expect([400, 401]).toContain(status);
    }
  }
  expect(await grantRow(server.database, id)).toEqual(row);
  expect(await grantRow(server.database, unused.id)).toBeUndefined();
  await rotate(server, client, newest);
});
