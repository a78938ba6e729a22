/** Rights come from what is true now, and what an instance answered it also knows. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { type AdminAnswer, adminWith, createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import {
  API,
  ISSUER,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";

let server: TestAuthServer;
let other: TestAuthServer;
let root: TestAdmin;
beforeAll(async () => {
  server = await startAuthServer();
  other = await startAuthServer({ database: server.database });
  root = await createTestAdmin(server);
});
afterAll(async () => {
  await other.stop();
  await server.stop();
});

async function tokenOf(client: TestClient, form: Record<string, string> = {}): Promise<string> {
  const { status, body, text } = await server.clientCredentials(client, form);
  expect(status, text).toBe(200);
  return String(body["access_token"]);
}

async function introspect(client: TestClient, token: string): Promise<Record<string, unknown>> {
  return (await server.postAs(client, "/oauth2/introspect", { token })).body;
}

const patch = async (client: TestClient, body: object): Promise<AdminAnswer> => {
  const answer = await root.call("PATCH", `/clients/${client.clientId}`, body, { "if-match": "*" });
  expect(answer.status, answer.text).toBe(200);
  return answer;
};

describe("a token is good for what its client has now", () => {
  const ADMIN = { scopes: ["daykey:admin", "introspect"], resources: [ISSUER, API] };

  test.each<[string, object, number]>([
    ["the scope", { scopes: ["introspect"] }, 403],
    ["the issuer as a resource", { scopes: ["time:read"], resources: [API] }, 401],
  ])("an admin whose %s was taken is refused with its old token", async (_what, change, status) => {
    const client = await server.createClient(ADMIN);
    const admin = await adminWith(server, client, await tokenOf(client, { resource: ISSUER }));
    expect((await admin.get("/clients")).status).toBe(200);
    await patch(client, change);
    expect((await admin.get("/clients")).status).toBe(status);
    const back = { scopes: ADMIN.scopes, resources: ADMIN.resources };
    const path = `/clients/${client.clientId}`;
    const answer = await admin.call("PATCH", path, back, { "if-match": "*" });
    expect(answer.status).toBe(status);
  });

  test("introspection tells the scope that is left, and its quotas of now", async () => {
    const client = await server.createClient({ scopes: ["time:read", "primes:check"] });
    const token = await tokenOf(client);
    const quotas = [{ limit: 5, window: "minute" }];
    await patch(client, { scopes: ["primes:check"], quotas });
    expect(await introspect(client, token)).toMatchObject({
      active: true,
      scope: "primes:check",
      quota: quotas,
    });
  });

  test("introspection of a token without a scope or resource left is inactive", async () => {
    const gone = { uri: "https://gone.example.test", name: "gone", scopes: ["a", "b"] };
    expect((await root.post("/resources", gone)).status).toBe(201);
    const client = await server.createClient({
      scopes: ["a", "time:read"],
      resources: [gone.uri, API],
    });
    const token = await tokenOf(client);
    expect(await introspect(client, token)).toMatchObject({ active: true, scope: "a" });
    const path = `/resources/${encodeURIComponent(gone.uri)}`;
    const less = { name: "gone", scopes: ["b"], owner_client_id: null };
    expect((await root.call("PUT", path, less)).status).toBe(200);
    expect(await introspect(client, token)).toEqual({ active: false });
    const again = { ...less, scopes: ["a", "b"] };
    expect((await root.call("PUT", path, again)).status).toBe(200);
    expect(await introspect(client, token)).toMatchObject({ active: true, scope: "a" });
    await patch(client, { scopes: ["time:read"], resources: [API] });
    expect(await introspect(client, token)).toEqual({ active: false });
  });

  test("introspection of a refresh token follows scope, resources and grant types", async () => {
    const client = await server.createClient({ scopes: ["time:read", "primes:check"] });
    const { body } = await server.clientCredentials(client);
    const token = String(body["refresh_token"]);
    await patch(client, { scopes: ["primes:check"] });
    expect(await introspect(client, token)).toMatchObject({ active: true, scope: "primes:check" });
    await patch(client, { grant_types: ["client_credentials"] });
    expect(await introspect(client, token)).toEqual({ active: false });
  });
});

describe("a feed ends when its reader may read no more, at every instance", () => {
  const ends: [string, (client: TestClient, token: string) => Promise<unknown>][] = [
    ["disabled", async ({ clientId }) => root.post(`/clients/${clientId}/disable`)],
    ["deleted", async ({ clientId }) => root.call("DELETE", `/clients/${clientId}`)],
    ["demoted", async (client) => patch(client, { scopes: ["introspect"] })],
    [
      "without the issuer",
      async (client) => patch(client, { scopes: ["time:read"], resources: [API] }),
    ],
    ["told to get new tokens", ({ clientId }) => root.post(`/clients/${clientId}/revoke-tokens`)],
    [
      "without the secret that opened the grant",
      ({ clientId, kid }) => root.post(`/clients/${clientId}/secrets/${kid}/revoke`),
    ],
    [
      "without the grant",
      async (client, token) => server.postAs(client, "/oauth2/revoke", { token }),
    ],
  ];
  test.each(ends)("a reader that is %s", async (_how, end) => {
    const reader = await server.createClient({
      scopes: ["revocations:read", "introspect", "time:read"],
      resources: [ISSUER, API],
    });
    await other.look();
    const token = await tokenOf(reader);
    const feeds = await Promise.all(
      [server, other].map(async ({ url }) =>
        fetch(`${url}/revocations`, { headers: { authorization: `Bearer ${token}` } }),
      ),
    );
    expect(feeds.map(({ status }) => status)).toEqual([200, 200]);
    const read = feeds.map(async (feed) => feed.text());
    await end(reader, token);
    // Without an end these wait for the token's, ten minutes away.
    for (const text of await Promise.all(read)) expect(text).toContain("event: live");
  });

  test("others go on", async () => {
    const reader = await server.createClient({ scopes: ["revocations:read"], resources: [ISSUER] });
    const feed = await fetch(`${server.url}/revocations`, {
      headers: { authorization: `Bearer ${await tokenOf(reader)}` },
    });
    const victim = await server.createClient();
    await root.post(`/clients/${victim.clientId}/disable`);
    const told: string[] = [];
    for await (const chunk of feed.body!.pipeThrough(new TextDecoderStream())) {
      told.push(chunk);
      if (told.join("").includes("heartbeat")) break;
    }
    expect(told.join("")).toContain(victim.clientId);
  });
});

describe("right after its own answer the same process knows it", () => {
  const TRIES = 20;

  test("a token that was revoked is inactive", async () => {
    const client = await server.createClient();
    for (let i = 0; i < TRIES; i++) {
      const token = await tokenOf(client);
      expect((await server.postAs(client, "/oauth2/revoke", { token })).status).toBe(200);
      expect(await introspect(client, token)).toEqual({ active: false });
    }
  });

  test("a client that was registered gets a token, also under an id that was asked before", async () => {
    for (let i = 0; i < TRIES; i++) {
      const client_id = `soon-${i}`;
      const ask = async (client_secret: string) =>
        server.token({ grant_type: "client_credentials", client_id, client_secret });
      expect((await ask("x")).status).toBe(401);
      const { body } = await root.create({ client_id, auth_methods: ["client_secret_post"] });
      expect((await ask(body.secret.client_secret)).status).toBe(200);
    }
  });

  test("tokens and secrets that were ended are refused", async () => {
    for (let i = 0; i < TRIES; i++) {
      const client = await server.createClient();
      const { body } = await server.clientCredentials(client);
      const path = `/clients/${client.clientId}`;
      expect((await root.post(`${path}/revoke-tokens`)).status).toBe(200);
      expect((await server.refresh(client, body["refresh_token"])).status).toBe(400);
      expect((await server.clientCredentials(client)).status).toBe(200);
      expect((await root.post(`${path}/disable`)).status).toBe(200);
      expect((await server.clientCredentials(client)).status).toBe(401);
      expect((await root.post(`${path}/enable`)).status).toBe(200);
      expect((await server.clientCredentials(client)).status).toBe(200);
      expect((await root.post(`${path}/secrets/${client.kid}/revoke`)).status).toBe(204);
      expect((await server.clientCredentials(client)).status).toBe(401);
    }
  });

  test("the access token of a grant that a reused refresh token ended is inactive", async () => {
    for (let i = 0; i < TRIES; i++) {
      const client = await server.createClient();
      const first = (await server.clientCredentials(client)).body["refresh_token"];
      const second = (await server.refresh(client, first)).body["refresh_token"];
      const { body } = await server.refresh(client, second);
      expect((await server.refresh(client, first)).status).toBe(400);
      expect(await introspect(client, String(body["access_token"]))).toEqual({ active: false });
    }
  });
});
