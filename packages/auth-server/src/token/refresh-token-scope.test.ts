/** R6: scope and resource of a refresh (RFC 6749 §6, RFC 8707 §2.2). */
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeJwt } from "jose";
import {
  API,
  ISSUER,
  OTHER_API,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import { grantRow, openGrant, readToken, refreshTokenOf, rotate } from "../../test/refresh.ts";

let server: TestAuthServer;
let client: TestClient;
beforeAll(async () => {
  server = await startAuthServer();
  client = await server.createClient();
});
afterAll(() => server.stop());

const INVALID_SCOPE = {
  error: "invalid_scope",
  error_description: "The scope exceeds what this client may ask for this resource.",
};
const INVALID_TARGET = {
  error: "invalid_target",
  error_description: "The resource is not registered for this client.",
};

async function change(of: TestClient, column: string, value: readonly string[]): Promise<void> {
  await server.database.query(`update daykey.clients set ${column} = $2 where client_id = $1`, [
    of.clientId,
    value,
  ]);
  await server.look();
}

test("R6: a narrower scope holds for that access token; the refresh token keeps its own", async () => {
  const { id, token } = await openGrant(server, client);
  const narrow = await server.refresh(client, token, { scope: "primes:check" });
  expect(narrow.status, narrow.text).toBe(200);
  expect(narrow.body["scope"]).toBe("primes:check");
  expect(decodeJwt(String(narrow.body["access_token"]))).toMatchObject({
    scope: "primes:check",
    gid: id,
  });
  const successor = refreshTokenOf(narrow);
  expect(readToken(successor).grant).toEqual(readToken(token).grant);
  const whole = await server.refresh(client, successor);
  expect(whole.body["scope"]).toBe("time:read primes:check");
});

test("R6: a retry may ask another scope and still gets the same refresh token", async () => {
  const { token } = await openGrant(server, client);
  const successor = await rotate(server, client, token);
  const retried = await server.refresh(client, token, { scope: "time:read" });
  expect(retried.body).toMatchObject({ scope: "time:read", refresh_token: successor });
});

test("R6: more scope than the grant has is invalid_scope, and touches no row", async () => {
  const { id, token } = await openGrant(server, client, { scope: "time:read" });
  for (const scope of ["primes:check", "time:read primes:check", "daykey:admin", "nothing:known"]) {
    const { status, body } = await server.refresh(client, token, { scope });
    expect(status, scope).toBe(400);
    expect(body, scope).toEqual(INVALID_SCOPE);
  }
  const malformed = await server.refresh(client, token, { scope: "time:read  primes:check" });
  expect(malformed.status).toBe(400);
  expect(malformed.body["error"]).toBe("invalid_scope");
  expect(await grantRow(server.database, id)).toBeUndefined();
  const kept = await server.refresh(client, token);
  expect(kept.body["scope"]).toBe("time:read");
});

test("R6: an old number with too much scope does not revoke the grant", async () => {
  const { id, token } = await openGrant(server, client);
  const newest = await rotate(server, client, await rotate(server, client, token));
  const row = await grantRow(server.database, id);
  const { status, body } = await server.refresh(client, token, { scope: "daykey:admin" });
  expect([status, body]).toEqual([400, INVALID_SCOPE]);
  expect(await grantRow(server.database, id)).toEqual(row);
  await rotate(server, client, newest);
});

test("R6: scope registered no longer is gone; scope registered since is not gained", async () => {
  const narrowed = await server.createClient();
  const { token } = await openGrant(server, narrowed);
  await change(narrowed, "scopes", ["primes:check"]);
  const answer = await server.refresh(narrowed, token);
  expect(answer.body["scope"]).toBe("primes:check");
  const asked = await server.refresh(narrowed, refreshTokenOf(answer), { scope: "time:read" });
  expect([asked.status, asked.body]).toEqual([400, INVALID_SCOPE]);

  const widened = await server.createClient({ scopes: ["time:read"] });
  const grant = await openGrant(server, widened);
  await change(widened, "scopes", ["time:read", "primes:check"]);
  const kept = await server.refresh(widened, grant.token);
  expect(kept.body["scope"]).toBe("time:read");
});

test("R6: with no scope left a refresh is invalid_scope, and touches no row", async () => {
  const narrowed = await server.createClient();
  const { id, token } = await openGrant(server, narrowed, { scope: "time:read" });
  await change(narrowed, "scopes", ["primes:check"]);
  const { status, body } = await server.refresh(narrowed, token);
  expect([status, body]).toEqual([400, INVALID_SCOPE]);
  expect(await grantRow(server.database, id)).toBeUndefined();
});

test("R6: a client that may refresh no longer is unauthorized_client, and no row is touched", async () => {
  const narrowed = await server.createClient();
  const { id, token } = await openGrant(server, narrowed);
  await change(narrowed, "grant_types", ["client_credentials"]);
  const { status, body } = await server.refresh(narrowed, token);
  expect(status).toBe(400);
  expect(body).toEqual({
    error: "unauthorized_client",
    error_description: "The client may not use this grant type.",
  });
  expect(await grantRow(server.database, id)).toBeUndefined();
});

test("R6: a refresh may name another resource of the client's; the next one is free again", async () => {
  const { token } = await openGrant(server, client);
  const other = await server.refresh(client, token, { resource: OTHER_API });
  expect(other.status, other.text).toBe(200);
  expect(decodeJwt(String(other.body["access_token"]))).toMatchObject({
    aud: OTHER_API,
    scope: "time:read other:write",
  });
  const back = await server.refresh(client, refreshTokenOf(other));
  expect(decodeJwt(String(back.body["access_token"]))).toMatchObject({
    aud: API,
    scope: "time:read primes:check",
  });
});

test("R6: a resource that is not the client's is invalid_target, and touches no row", async () => {
  const limited = await server.createClient({ resources: [API], scopes: ["time:read"] });
  const { id, token } = await openGrant(server, limited);
  for (const resource of [OTHER_API, ISSUER, "https://unknown.example.test", "/", `${API}#x`]) {
    const { status, body } = await server.refresh(limited, token, { resource });
    expect(status, resource).toBe(400);
    expect(body, resource).toEqual(INVALID_TARGET);
  }
  expect(await grantRow(server.database, id)).toBeUndefined();
});

test("R6: a resource registered no longer is invalid_target, and touches no row", async () => {
  const narrowed = await server.createClient();
  const { id, token } = await openGrant(server, narrowed);
  await change(narrowed, "resources", [OTHER_API]);
  const { status, body } = await server.refresh(narrowed, token);
  expect([status, body]).toEqual([400, INVALID_TARGET]);
  expect(await grantRow(server.database, id)).toBeUndefined();
  const other = await server.refresh(narrowed, token, { resource: OTHER_API });
  expect(other.body["scope"]).toBe("time:read other:write");
});
