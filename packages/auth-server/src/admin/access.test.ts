/** Who may use the admin API: the bearer token, before anything else of a request is looked at. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminWith, createTestAdmin, NEW_CLIENT, type TestAdmin } from "../../test/admin.ts";
import { API, ISSUER, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";

let server: TestAuthServer;
let admin: TestAdmin;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
});
afterAll(() => server.stop());

const ROUTES = [
  ["GET", "/clients"],
  ["POST", "/clients"],
  ["GET", "/clients/x"],
  ["PUT", "/clients/x"],
  ["PATCH", "/clients/x"],
  ["DELETE", "/clients/x"],
  ["POST", "/clients/x/disable"],
  ["POST", "/clients/x/enable"],
  ["POST", "/clients/x/revoke-tokens"],
  ["GET", "/clients/x/secrets"],
  ["POST", "/clients/x/secrets"],
  ["POST", "/clients/x/secrets/abcdefgh/revoke"],
  ["GET", "/clients/x/keys"],
  ["POST", "/clients/x/keys"],
  ["POST", "/clients/x/keys/k/revoke"],
  ["GET", "/secrets"],
  ["GET", "/resources"],
  ["POST", "/resources"],
  ["GET", "/resources/urn%3Ax"],
  ["PUT", "/resources/urn%3Ax"],
  ["DELETE", "/resources/urn%3Ax"],
  ["GET", "/trust/issuers"],
  ["POST", "/trust/issuers"],
  ["GET", "/trust/issuers/x"],
  ["PUT", "/trust/issuers/x"],
  ["DELETE", "/trust/issuers/x"],
  ["GET", "/trust/rules"],
  ["POST", "/trust/rules"],
  ["GET", "/trust/rules/x"],
  ["PUT", "/trust/rules/x"],
  ["DELETE", "/trust/rules/x"],
  ["POST", "/trust/explain"],
  ["GET", "/keys"],
  ["POST", "/keys/rotate"],
  ["POST", "/keys/k/revoke"],
  ["GET", "/revocations"],
  ["POST", "/revocations"],
  ["POST", "/restored"],
  ["POST", "/console/links"],
  ["GET", "/audit"],
  ["GET", "/audit/verify"],
] as const;

describe("A1: without an admin's token", () => {
  test.each(ROUTES)("%s %s is 401 with a challenge, whatever is sent", async (method, path) => {
    const stranger = await adminWith(server, admin.client, "");
    const body = method === "GET" ? undefined : "{not json";
    const answer = await stranger.call(method, path, body);
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toBe(
      `Bearer realm="${ISSUER}", scope="daykey:admin"`,
    );
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
  });

  test.each(ROUTES)("%s %s is 403 for a token with another scope", async (method, path) => {
    const client = await server.createClient({ scopes: ["revocations:read"], resources: [ISSUER] });
    const token = await server.clientCredentials(client);
    const reader = await adminWith(server, client, String(token.body["access_token"]));
    const answer = await reader.call(method, path, method === "GET" ? undefined : "{not json");
    expect(answer.status).toBe(403);
    expect(answer.headers.get("www-authenticate")).toContain('error="insufficient_scope"');
  });

  test("a token for another resource is 401, though its client is an admin", async () => {
    const client = await server.createClient({
      scopes: ["daykey:admin", "time:read"],
      resources: [ISSUER, API],
    });
    const token = await server.clientCredentials(client, { resource: API });
    const elsewhere = await adminWith(server, client, String(token.body["access_token"]));
    expect((await elsewhere.get("/clients")).status).toBe(401);
  });

  test("the public listener has no admin API", async () => {
    const answer = await fetch(`${server.url}/admin/v1/clients`, {
      headers: { authorization: `Bearer ${admin.token}` },
    });
    expect(answer.status).toBe(404);
  });
});

test("A7: an admin that is disabled has no say from then on, on this instance at once", async () => {
  const other = await createTestAdmin(server);
  expect((await other.get("/clients?limit=1")).status).toBe(200);
  expect((await admin.post(`/clients/${other.client.clientId}/disable`)).status).toBe(200);
  await server.look();
  expect((await other.get("/clients?limit=1")).status).toBe(401);
});

test.each([
  ["/clients/-", "client_id"],
  ["/clients/billing/api-keys/nope/revoke", "id"],
  ["/clients/billing/secrets/%20/revoke", "kid"],
  ["/resources/%C3%A9", "uri"],
])("an id that cannot be is 404 and says so: %s", async (path, name) => {
  const answer = await (path.endsWith("revoke") ? admin.post(path) : admin.get(path));
  expect([answer.status, answer.body]).toEqual([
    404,
    {
      type: "urn:daykey:problem:malformed-id",
      title: "There is no such id",
      status: 404,
      detail: `The ${name} in the path has not the form of one.`,
    },
  ]);
});

test("what is no route is 404, another method 405, another spelling 404", async () => {
  expect((await admin.get("/nothing")).status).toBe(404);
  expect((await admin.get("/CLIENTS")).status).toBe(404);
  expect((await admin.get("/clients/")).status).toBe(404);
  const put = await admin.call("PUT", "/clients", NEW_CLIENT);
  expect(put.status).toBe(405);
  expect(put.headers.get("allow")).toBe("HEAD, GET, POST");
});

test("the request's log line names actor and action, and nothing of the body", async () => {
  const secret = "a canary that somebody chose";
  const made = await admin.create({ name: "canary-name", secret: { kind: "chosen", secret } });
  const line = server.lines.findLast(({ route }) => route === "/admin/v1/clients");
  expect(line).toMatchObject({
    actor: admin.client.clientId,
    action: "createClient",
    status: 201,
    route: "/admin/v1/clients",
  });
  const logged = JSON.stringify(server.lines);
  for (const canary of [secret, "canary-name", made.body.secret.salt, admin.token]) {
    expect(logged).not.toContain(canary);
  }
});
