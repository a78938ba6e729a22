/** RFC 3986 §6.2.2 and §6.2.3: every equivalent URI means a resource, and answers name its registered one. */
import { decodeJwt } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestAdmin, NEW_CLIENT, statusesOf, type TestAdmin } from "../../test/admin.ts";
import {
  API,
  ISSUER,
  OTHER_API,
  startAuthServer,
  type TestAuthServer,
} from "../../test/auth-server.ts";

let server: TestAuthServer;
let admin: TestAdmin;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
});
afterAll(() => server.stop());

/** Spellings of `API`, which is registered without a path. */
const SAME = [
  `${API}/`,
  API.toUpperCase(),
  `${API}:443`,
  `${API}:443/`,
  `${API}/.`,
  API.replace("api", "%61pi"),
];
const OTHER = [
  `${API}//`,
  `${API}/a`,
  `${API}?`,
  `${API}/#`,
  `${API}:80`,
  API.replace("https", "http"),
];
const INVALID_TARGET = {
  error: "invalid_target",
  error_description: "The resource is not registered for this client.",
};

const audienceIn = (token: unknown): unknown => decodeJwt(String(token)).aud;

test("a token request may name it so, and its aud is the registered string", async () => {
  const client = await server.createClient({ resources: [OTHER_API, API] });
  for (const resource of SAME) {
    const answer = await server.clientCredentials(client, { resource });
    expect(answer.status, resource).toBe(200);
    expect(audienceIn(answer.body["access_token"])).toBe(API);
    const refreshed = await server.refresh(client, answer.body["refresh_token"], { resource });
    expect(audienceIn(refreshed.body["access_token"])).toBe(API);
  }
  for (const resource of OTHER) {
    const answer = await server.clientCredentials(client, { resource });
    expect([answer.status, answer.body], resource).toEqual([400, INVALID_TARGET]);
  }
  const issuer = await server.createClient({ resources: [ISSUER], scopes: ["introspect"] });
  const { body } = await server.clientCredentials(issuer, { resource: `${ISSUER}/` });
  expect(audienceIn(body["access_token"])).toBe(ISSUER);
});

test("a registered URI with a slash is told with it", async () => {
  const uri = "https://slash.example.test/";
  const made = await admin.post("/resources", { uri, name: "s", scopes: ["time:read"] });
  expect(made.body.uri).toBe(uri);
  const client = await admin.create({ resources: ["https://SLASH.example.test"] });
  expect(client.body.client.resources).toEqual([uri]);
});

test("a client is registered and changed with the registered strings", async () => {
  for (const uri of SAME) {
    const made = await admin.create({ resources: [uri] });
    const { client } = made.body;
    expect(client.resources, uri).toEqual([API]);
    const path = `/clients/${client.client_id}`;
    const same = await admin.call("PATCH", path, { resources: [uri] }, { "if-match": made.etag });
    expect([same.status, same.etag, same.body.resources]).toEqual([200, made.etag, [API]]);
    const changed = { resources: [uri, `${OTHER_API}/`] };
    const answer = await admin.call("PATCH", path, changed, { "if-match": made.etag });
    expect(answer.body.resources).toEqual([API, OTHER_API]);
  }
  const twice = await admin.post("/clients", {
    ...NEW_CLIENT,
    resources: [API, `${API}/`],
  });
  expect([twice.status, twice.body.type]).toEqual([400, "urn:daykey:problem:invalid-registration"]);
});

test("two equivalent URIs are not registered, not even at once", async () => {
  const named = (uri: string): object => ({ uri, name: "again", scopes: ["time:read"] });
  for (const uri of [...SAME, `${ISSUER}/`]) {
    const answer = await admin.post("/resources", named(uri));
    expect([answer.status, answer.body.type], uri).toEqual([
      409,
      "urn:daykey:problem:resource-exists",
    ]);
  }
  for (let round = 0; round < 5; round++) {
    const host = `https://race-${round}.example.test`;
    const uris = [host, `${host}/`, `${host}:443`, host.toUpperCase()];
    const answers = await Promise.all(
      uris.map(async (uri) => admin.post("/resources", named(uri))),
    );
    expect(statusesOf(answers)).toEqual([201, 409, 409, 409]);
  }
});

test("it is read, changed, listed by and given keys to by an equivalent URI", async () => {
  const uri = "https://managed.example.test";
  const resource = { uri, name: "managed", scopes: ["time:read"], owner_client_id: null };
  await admin.post("/resources", resource);
  const at = `/resources/${encodeURIComponent(`${uri}/`)}`;
  expect((await admin.get(at)).body).toEqual(resource);
  const changed = await admin.call("PUT", at, { ...resource, uri: `${uri}/`, name: "new" });
  expect(changed.body).toEqual({ ...resource, name: "new" });
  const { body } = await admin.create({ resources: [uri] });
  const id = body.client.client_id;
  const listed = await admin.get(`/clients?resource=${encodeURIComponent(`${uri}/`)}`);
  expect(listed.body.items.map((client: { client_id: string }) => client.client_id)).toEqual([id]);
  const key = await admin.post(`/clients/${id}/api-keys`, { name: "k", resource: `${uri}:443` });
  expect([key.status, key.body.resource]).toEqual([201, uri]);
  expect((await admin.call("DELETE", at)).status).toBe(409);
  await admin.call("DELETE", `/clients/${id}`);
  expect((await admin.call("DELETE", at)).status).toBe(204);
});
