/** A scope is its resource's: what a name at one resource gives at another. */
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestAdmin, NEW_CLIENT, type TestAdmin } from "../../test/admin.ts";
import {
  API,
  ISSUER,
  OTHER_API,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";

let server: TestAuthServer;
let admin: TestAdmin;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
});
afterAll(() => server.stop());

/** `time:read` is defined by both resources. */
const APART = [
  { resource: API, scopes: ["time:read"] },
  { resource: OTHER_API, scopes: ["other:write"] },
];
const apart = async (): Promise<TestClient> =>
  server.createClient({ scopes: ["time:read", "other:write"], resourceScopes: APART });

/** What it gets without asking for a scope, or the error. */
async function scopeOf(client: TestClient, form: Record<string, string>): Promise<unknown> {
  const { body } = await server.clientCredentials(client, form);
  return body["scope"] ?? body["error"];
}

const pathOf = ({ clientId }: TestClient): string => `/clients/${clientId}`;

async function patch(client: TestClient, change: object): Promise<unknown> {
  const { etag } = await admin.get(pathOf(client));
  const answer = await admin.call("PATCH", pathOf(client), change, { "if-match": etag });
  expect(answer.status, answer.text).toBe(200);
  await server.look();
  return answer.body.resource_scopes;
}

async function resource(uri: string, scopes: string[]): Promise<void> {
  const answer = await admin.post("/resources", { uri, name: "one", scopes });
  expect(answer.status, answer.text).toBe(201);
}

async function redefine(uri: string, scopes: string[]): Promise<number> {
  const path = `/resources/${encodeURIComponent(uri)}`;
  const { body } = await admin.get(path);
  const { status } = await admin.call("PUT", path, { ...body, scopes });
  await server.look();
  return status;
}

describe("T23: a scope's name at one resource gives nothing at another", () => {
  test.each([
    { resource_scopes: [{ resource: OTHER_API, scopes: ["time:read"] }] },
    { resource_scopes: [1, 2].map(() => ({ resource: API, scopes: ["time:read"] })) },
    { resource_scopes: [{ resource: API, scopes: ["primes:check"] }] },
    { resource_scopes: [{ resource: API, scopes: ["time:read", "time:read"] }] },
    { resources: [API, ISSUER], scopes: ["time:read", "introspect"], resource_scopes: [] },
    { resource_scopes: [{ resource: API, scopes: ["unknown"] }] },
    { resource_scopes: {} },
  ])("a client cannot be registered with %o", async (part) => {
    const answer = await admin.post("/clients", { ...NEW_CLIENT, client_id: "never", ...part });
    expect([answer.status, answer.body.detail]).toEqual([
      400,
      expect.stringContaining("resource_scopes"),
    ]);
  });

  test("in a token, asked for or not", async () => {
    const client = await apart();
    expect(await scopeOf(client, { resource: API })).toBe("time:read");
    expect(await scopeOf(client, { resource: OTHER_API })).toBe("other:write");
    expect(await scopeOf(client, { resource: OTHER_API, scope: "time:read" })).toBe(
      "invalid_scope",
    );
  });

  test("in a token that was issued before", async () => {
    const client = await server.createClient({ scopes: ["time:read", "other:write"] });
    const issued = await server.clientCredentials(client, { resource: OTHER_API });
    const token = String(issued.body["access_token"]);
    expect(decodeJwt(token)["scope"]).toBe("time:read other:write");
    expect(await patch(client, { resource_scopes: APART })).toEqual(APART);
    const { body } = await server.postAs(client, "/oauth2/introspect", { token });
    expect(body).toMatchObject({ active: true, scope: "other:write" });
  });

  test("in a refresh token, for which a scope of one resource was asked", async () => {
    const client = await server.createClient();
    const asked = await server.clientCredentials(client, { resource: API, scope: "time:read" });
    const token = asked.body["refresh_token"];
    const other = await server.refresh(client, token, { resource: OTHER_API });
    expect([other.status, other.body["error"]]).toEqual([400, "invalid_target"]);
    expect((await server.refresh(client, token)).body["scope"]).toBe("time:read");
  });

  test("in an access key, made or asked about", async () => {
    const client = await apart();
    const make = async (scopes: string[]) =>
      admin.post(`${pathOf(client)}/api-keys`, { name: "x", resource: OTHER_API, scopes });
    expect((await make(["time:read"])).status).toBe(400);
    expect((await make(["other:write"])).status).toBe(201);
  });

  test("when another resource begins to define it", async () => {
    const [first, second] = ["https://first.example.test", "https://second.example.test"];
    await resource(first, ["read", "list"]);
    await resource(second, ["write", "list"]);
    const client = await server.createClient({
      scopes: ["read", "write"],
      resources: [first, second],
    });
    const alone = await server.createClient({ scopes: ["write"], resources: [second] });
    expect(await redefine(second, ["write", "list", "read"])).toBe(200);
    expect(await scopeOf(client, { resource: second })).toBe("write");
    expect((await admin.get(pathOf(client))).body).toMatchObject({
      version: 2,
      resource_scopes: [
        { resource: first, scopes: ["read"] },
        { resource: second, scopes: ["write"] },
      ],
    });
    expect((await admin.get(pathOf(alone))).body).toMatchObject({
      version: 1,
      resource_scopes: null,
    });
    expect((await admin.audit()).at(-1)).toMatchObject({
      action: "resource.change",
      detail: { after: { listed_clients: 1 } },
    });
    // What an operator took away and gives back is there again.
    expect(await redefine(second, ["list", "read"])).toBe(200);
    expect(await scopeOf(alone, { resource: second })).toBe("invalid_scope");
    expect(await redefine(second, ["write", "list", "read"])).toBe(200);
    expect(await scopeOf(alone, { resource: second })).toBe("write");
    expect(await scopeOf(client, { resource: second })).toBe("write");
    // The operator says otherwise: a new name counts where it is defined, what was decided stays.
    expect(await patch(client, { scopes: ["read", "write", "list"] })).toEqual([
      { resource: first, scopes: ["read", "list"] },
      { resource: second, scopes: ["write", "list"] },
    ]);
    expect(await patch(client, { resource_scopes: null })).toBeNull();
    expect(await scopeOf(client, { resource: second })).toBe("read write list");
  });

  test("and 10,000 clients that would gain it are too many for one change", async () => {
    const [first, second] = ["https://third.example.test", "https://fourth.example.test"];
    await resource(first, ["read"]);
    await resource(second, ["write"]);
    await server.database.query(
      `insert into daykey.clients (client_id, name, auth_methods, grant_types, scopes, resources)
       select 'many-' || n, 'many', '{private_key_jwt}', '{client_credentials}', '{read,write}',
         '{${first},${second}}' from generate_series(1, 10001) n`,
    );
    expect(await redefine(second, ["write", "read"])).toBe(409);
    await server.database.query(
      "update daykey.clients set deleted_at = now() where client_id = 'many-1'",
    );
    expect(await redefine(second, ["write", "read"])).toBe(200);
  });
});

describe("T24: the issuer's own scopes are nobody else's", () => {
  test.each(["daykey:admin", "revocations:read", "introspect"])("%s", async (scope) => {
    const uri = `https://${scope.replaceAll(/\W/g, "-")}.example.test`;
    const refused = await admin.post("/resources", { uri, name: "x", scopes: ["read", scope] });
    expect([refused.status, refused.body.detail]).toEqual([
      400,
      `${scope} is a scope of the issuer's own.`,
    ]);
    await resource(uri, ["read"]);
    expect(await redefine(uri, ["read", scope])).toBe(400);
    // One that was defined before is kept, and still means nothing at the issuer.
    await server.database.query(
      `update daykey.resources set scopes = scopes || '{${scope}}' where uri = '${uri}'`,
    );
    await server.look();
    expect(await redefine(uri, ["read", scope, "more"])).toBe(200);
    const client = await server.createClient({
      scopes: ["read", scope],
      resources: [uri],
      grantTypes: ["client_credentials"],
    });
    expect(await scopeOf(client, { resource: ISSUER })).toBe("invalid_target");
  });
});
