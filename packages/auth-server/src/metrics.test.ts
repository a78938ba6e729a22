/** What the auth-server counts, as a scrape sees it. */
import { scrape, type Scraped } from "@daykey/service/test/metrics";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startAuthServer, type TestAuthServer, type TestClient } from "../test/auth-server.ts";
import { openGrant, rotate } from "../test/refresh.ts";

let server: TestAuthServer;
let client: TestClient;
beforeAll(async () => {
  server = await startAuthServer({ config: { badCredentialsPerMinute: 2 } });
  client = await server.createClient();
});
afterAll(() => server.stop());

const read = (): Promise<Scraped> => scrape(server.privateUrl);

/** What one metric's counts rose by, those alone that did. */
async function rise(name: string, work: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = (await read()).values(name);
  await work();
  const after = Object.entries((await read()).values(name));
  const rises = after.map(([labels, value]) => [labels, value - (before[labels] ?? 0)] as const);
  return Object.fromEntries(rises.filter(([, by]) => by !== 0));
}

test("token requests are counted by grant type and result", async () => {
  const counted = await rise("token_requests_total", async () => {
    await openGrant(server, client);
    await server.clientCredentials(client, { scope: "none:such" });
    await server.clientCredentials(client, { grant_type: "password" });
    await server.token({});
    await server.token({ grant_type: "client_credentials" });
  });
  expect(counted).toEqual({
    '{grant_type="client_credentials",result="issued"}': 1,
    '{grant_type="client_credentials",result="invalid_scope"}': 1,
    '{grant_type="none",result="unsupported_grant_type"}': 1,
    '{grant_type="none",result="invalid_request"}': 1,
    '{grant_type="none",result="invalid_client"}': 1,
  });
});

test("what alerts watch is there before it happens, at 0", async () => {
  const fresh = await startAuthServer();
  const metrics = await scrape(fresh.privateUrl);
  await fresh.stop();
  expect(metrics.values("refreshes_total")).toEqual({
    '{outcome="reuse"}': 0,
    '{outcome="late_retry"}': 0,
  });
  const authentications = metrics.values("client_authentications_total");
  expect(authentications['{method="client_secret_hash",result="wrong_credential"}']).toBe(0);
  expect(authentications['{method="none",result="unknown_client"}']).toBe(0);
  expect(metrics.values("http_request_errors_total")).toEqual({ "": 0 });
});

test("refreshes are counted by outcome", async () => {
  const { token } = await openGrant(server, client);
  const counted = await rise("refreshes_total", async () => {
    const successor = await rotate(server, client, token);
    await server.refresh(client, token);
    await rotate(server, client, successor);
    await server.refresh(client, token);
    await server.refresh(client, "garbage");
  });
  expect(counted).toEqual({
    '{outcome="rotated"}': 2,
    '{outcome="retried"}': 1,
    '{outcome="reuse"}': 1,
    '{outcome="refused"}': 1,
  });
});

test("authentications are counted by method and result, at every endpoint that has them", async () => {
  const wrong = { client_id: client.clientId, client_secret_hash: "0".repeat(64) };
  const counted = await rise("client_authentications_total", async () => {
    await server.postAs(client, "/oauth2/introspect", { token: "garbage" });
    for (const path of ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"]) {
      await server.post(path, { ...wrong, grant_type: "client_credentials" });
    }
    await server.post("/oauth2/revoke", { client_id: client.clientId });
  });
  expect(counted).toEqual({
    '{method="client_secret_hash",result="ok"}': 1,
    '{method="client_secret_hash",result="wrong_credential"}': 2,
    '{method="client_secret_hash",result="too_many_failures"}': 1,
    '{method="none",result="no_credential"}': 1,
  });
});

test("the lag of a revocation is measured when it is told", async () => {
  const other = await server.createClient();
  const lags = await rise("revocation_lag_seconds_count", async () => {
    const { token } = await openGrant(server, other);
    await server.postAs(other, "/oauth2/revoke", { token });
    await server.look();
  });
  expect(lags).toEqual({ "": 1 });
  const metrics = await read();
  expect(metrics.values("revocation_lag_seconds_bucket")['{le="1"}']).toBeGreaterThan(0);
  expect(metrics.values("revocations_known")[""]).toBeGreaterThan(0);
  expect(metrics.values("revocation_feeds")).toEqual({ "": 0 });
});

test("the ages of keys and the time to their rotation are told", async () => {
  server.advance(1000);
  const metrics = await read();
  const ages = metrics.values("key_age_seconds");
  const due = metrics.values("key_rotation_due_seconds");
  const [signing] = ['{purpose="access_token"}'];
  expect(Object.keys(ages)).toEqual([
    '{purpose="access_token"}',
    '{purpose="refresh_token"}',
    '{purpose="opaque_token"}',
  ]);
  expect(Object.keys(due)).toEqual(Object.keys(ages));
  expect(ages[signing]).toBeGreaterThan(999);
  expect((ages[signing] ?? 0) + (due[signing] ?? 0)).toBeCloseTo(server.config.keyRotationSeconds);
});

test("readiness, the pool and the age of what was read are told", async () => {
  const metrics = await read();
  expect(metrics.values("instance_ready")).toEqual({ "": 1 });
  expect(metrics.values("database_pool_max")).toEqual({ "": 10 });
  expect(metrics.values("database_pool_waiting")).toEqual({ "": 0 });
  const { '{state="busy"}': busy, '{state="idle"}': idle } = metrics.values(
    "database_pool_connections",
  );
  expect((busy ?? 0) + (idle ?? 0)).toBeGreaterThan(0);
  expect(metrics.values("database_read_age_seconds")[""]).toBeLessThan(60);
});

test("no label holds what a caller chose", async () => {
  const canary = "canary";
  await server.token({ grant_type: canary, client_id: canary, client_secret: canary });
  await server.clientCredentials(client, { grant_type: canary, scope: canary, resource: canary });
  await server.refresh(client, canary, { scope: canary });
  const text = await (await fetch(`${server.privateUrl}/metrics`)).text();
  expect(text).not.toContain(canary);
  expect(text).not.toContain(client.clientId);
});
