/** A2: no change that the admin API takes leaves nobody who can administrate. */
import { afterEach, beforeEach, expect, test } from "vitest";

import { type AdminAnswer, createTestAdmin, statusesOf, type TestAdmin } from "../../test/admin.ts";
import { API, ISSUER, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";

let server: TestAuthServer;
let admin: TestAdmin;
let path: string;
beforeEach(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
  path = `/clients/${admin.client.clientId}`;
});
afterEach(() => server.stop());

const patch = async (body: object): Promise<AdminAnswer> =>
  admin.call("PATCH", path, body, { "if-match": "*" });

/** Verifiers that are no secret's: good for the hash forms only. */
const BROUGHT = {
  kind: "verifiers",
  kid: "abcd2345",
  salt: "0".repeat(32),
};

test("the last one that can administrate stays able to", async () => {
  const changes: [string, () => Promise<AdminAnswer>][] = [
    ["revoke its only secret", () => admin.post(`${path}/secrets/${admin.client.kid}/revoke`)],
    ["disable", () => admin.post(`${path}/disable`)],
    ["delete", () => admin.call("DELETE", path)],
    ["take the scope", () => patch({ scopes: ["introspect"] })],
    ["take the resource", () => patch({ scopes: ["time:read"], resources: [API] })],
    ["take the grant type", () => patch({ grant_types: ["refresh_token"] })],
    ["leave a method without a key", () => patch({ auth_methods: ["private_key_jwt"] })],
    ["bind its tokens to a key", () => patch({ dpop: "required" })],
    [
      "bind its tokens to the key of the day",
      () => patch({ auth_methods: ["client_secret_hash_once"], dpop: "day-key" }),
    ],
  ];
  for (const [what, change] of changes) {
    const { status, body } = await change();
    expect([what, status, body?.type]).toEqual([what, 409, "urn:daykey:problem:last-admin"]);
  }
  expect((await server.clientCredentials(admin.client)).status).toBe(200);
  expect((await admin.get("/audit/verify")).body.valid).toBe(true);
});

test("who may but cannot is no other admin: disabled, bound, without a secret, a key or the grant type", async () => {
  const may = { scopes: ["daykey:admin"], resources: [ISSUER] };
  await admin.create({ ...may, client_id: "without-secret", secret: null });
  await admin.create({ ...may, client_id: "without-grant", grant_types: ["refresh_token"] });
  await admin.create({
    ...may,
    client_id: "without-key",
    auth_methods: ["private_key_jwt"],
  });
  await admin.create({ ...may, client_id: "with-proof", dpop: "required" });
  await admin.create({ ...may, client_id: "with-certificate" });
  await server.database.query(
    "update daykey.clients set certificate_bound = true where client_id = 'with-certificate'",
  );
  await admin.create({ ...may, client_id: "off" });
  expect((await admin.post("/clients/off/disable")).status).toBe(200);
  const revoke = async () => admin.post(`${path}/secrets/${admin.client.kid}/revoke`);
  expect((await revoke()).status).toBe(409);
  // With one that can, the first may go.
  await admin.create({ ...may, client_id: "able" });
  expect((await revoke()).status).toBe(204);
});

test("a secret is shortened only where its successor can stand in for it", async () => {
  await patch({ auth_methods: ["client_secret_post"] });
  const days = 400;
  const first_day = new Date((server.now() - 86_400) * 1000).toISOString().slice(0, 10);
  const verifiers = Array.from({ length: days }, (_, i) => i.toString(16).padStart(64, "0"));
  const brought = { ...BROUGHT, first_day, verifiers };
  const refused = await admin.post(`${path}/secrets`, { ...brought, overlap_seconds: 60 });
  expect([refused.status, refused.body.type], refused.text).toEqual([
    409,
    "urn:daykey:problem:last-admin",
  ]);
  const taken = await admin.post(`${path}/secrets`, { kind: "generated", overlap_seconds: 0 });
  expect(taken.status, taken.text).toBe(201);
});

test("of two admins that take each other's secret at once, one stays able", async () => {
  for (let i = 0; i < 5; i++) {
    const second = await createTestAdmin(server);
    const third = await createTestAdmin(server);
    const all = [second, third];
    const kept = await Promise.all(
      all.map(async (one, at) => {
        const { clientId, kid } = all[1 - at]!.client;
        return one.post(`/clients/${clientId}/secrets/${kid}/revoke`);
      }),
    );
    // The test's first admin is another that can, so both may go here …
    expect(statusesOf(kept).every((status) => [204, 401].includes(status))).toBe(true);
  }
  const rival = await createTestAdmin(server);
  const [a, b] = await Promise.all([
    admin.post(`/clients/${rival.client.clientId}/secrets/${rival.client.kid}/revoke`),
    rival.post(`${path}/secrets/${admin.client.kid}/revoke`),
  ]);
  // … and here one of the two has to stay.
  expect(statusesOf([a, b])[0]).toBe(204);
  const able = await Promise.all(
    [admin, rival].map(async ({ client }) => (await server.clientCredentials(client)).status),
  );
  expect(able).toContain(200);
});
