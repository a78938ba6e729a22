/** RFC 9110 §13.1.1: what a condition does not ask for refuses nothing, and what a change does not touch is not judged. */
import { afterAll, beforeAll, expect, test } from "vitest";

import { createTestAdmin, statusesOf, type TestAdmin } from "../../test/admin.ts";
import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";

let server: TestAuthServer;
let admin: TestAdmin;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
});
afterAll(() => server.stop());

test("If-Match: * and requests without a condition are not refused because of each other", async () => {
  const { body } = await admin.create();
  const path = `/clients/${body.client.client_id}`;
  const any = { "if-match": "*" };
  const names = Array.from({ length: 20 }, (_, i) => ({ name: `name ${i}` }));
  const patches = names.map(async (name) => admin.call("PATCH", path, name, any));
  const clients = await Promise.all(patches);
  expect(statusesOf(clients)).toEqual(Array(20).fill(200));

  const resource = { uri: "https://busy.example.test", scopes: ["a"], owner_client_id: null };
  expect((await admin.post("/resources", { ...resource, name: "busy" })).status).toBe(201);
  const at = `/resources/${encodeURIComponent(resource.uri)}`;
  const puts = names.map(async ({ name }, i) =>
    admin.call("PUT", at, { ...resource, name }, i % 2 === 0 ? any : {}),
  );
  expect(statusesOf(await Promise.all(puts))).toEqual(Array(20).fill(200));
  expect((await admin.call("PATCH", "/clients/nobody", { name: "x" }, any)).status).toBe(404);
});

test("a PATCH is not refused for members that it does not touch", async () => {
  const { body } = await admin.create({
    auth_methods: ["private_key_jwt", "client_secret_post"],
    jwks_uri: "https://keys.example.test/jwks",
    refresh_idle_seconds: 600,
  });
  const id = body.client.client_id;
  // What settings or resources of another day let pass.
  await server.database.query(
    `update daykey.clients set scopes = '{time:read,gone}', access_token_seconds = 90000,
       auth_methods = '{client_secret_post,client_secret_hash_seed}', jwks_uri = 'https://10.0.0.1/jwks'
     where client_id = $1`,
    [id],
  );
  const patch = async (change: object) =>
    admin.call("PATCH", `/clients/${id}`, change, { "if-match": "*" });
  const named = await patch({ name: "another" });
  expect([named.status, named.body.name], named.text).toEqual([200, "another"]);
  expect((await patch({ refresh_idle_seconds: 700 })).status).toBe(200);
  expect((await patch({ scopes: ["primes:check", "gone"] })).status).toBe(200);
  const wrong = [
    { access_token_seconds: 90001 },
    { scopes: ["time:read", "never"] },
    { resources: ["https://unknown.example.test"] },
    { jwks_uri: "https://10.0.0.2/jwks" },
  ];
  for (const change of wrong) {
    const { status, text } = await patch(change);
    expect(status, text).toBe(400);
  }
});

test("statements of every two admin operations at once end without a 500", async () => {
  for (let round = 0; round < 6; round++) {
    const owner = await admin.create();
    const { client_id: id } = owner.body.client;
    const uri = `https://r${round}.example.test`;
    const at = `/resources/${encodeURIComponent(uri)}`;
    const resource = { uri, name: "r", scopes: ["a"], owner_client_id: id };
    expect((await admin.post("/resources", resource)).status).toBe(201);
    const { kid } = owner.body.secret;
    const any = { "if-match": "*" };
    const answers = await Promise.all([
      admin.call("PUT", at, { ...resource, name: "other" }),
      admin.call("PUT", at, { ...resource, owner_client_id: null }),
      admin.post(`/clients/${id}/secrets`, { kind: "generated", overlap_seconds: 0 }),
      admin.post(`/clients/${id}/secrets/${kid}/revoke`),
      admin.post(`/clients/${id}/disable`),
      admin.post(`/clients/${id}/revoke-tokens`),
      admin.call("PATCH", `/clients/${id}`, { name: "x" }, any),
      admin.post(`/clients/${id}/api-keys`, {
        name: "k",
        resource: "https://api.example.test",
        scopes: ["time:read"],
      }),
      admin.call("DELETE", at),
      admin.call("DELETE", `/clients/${id}`),
      admin.post("/keys/rotate", { active_in_seconds: 3600 }),
    ]);
    expect(Math.max(...statusesOf(answers))).toBeLessThan(500);
  }
});
