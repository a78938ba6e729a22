/**
 * The OpenAPI document. The harness compares every answer in the admin API's tests with it; here each
 * operation succeeds once, and the document's requests are what is sent.
 */
import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import type { Json } from "../../test/openapi.ts";
import { API, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";

let server: TestAuthServer;
let admin: TestAdmin;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
});
afterAll(() => server.stop());

test("is OpenAPI 3.1, served without a token, and says nothing of the installation", async () => {
  const answer = await fetch(`${server.privateUrl}/admin/v1/openapi.json`);
  expect(answer.status).toBe(200);
  const document: Json = await answer.json();
  expect(document.openapi).toBe("3.1.1");
  expect(document.security).toEqual([{ accessToken: ["daykey:admin"] }]);
  expect(Object.keys(document.components.schemas)).toContain("Client");
  const text = JSON.stringify(document);
  for (const ref of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
    expect(Object.keys(document.components.schemas)).toContain(ref[1]);
  }
});

test("a PATCH takes a merge patch, and says so when it gets something else", async () => {
  const answer = await fetch(`${server.privateUrl}/admin/v1/openapi.json`);
  const document: Json = await answer.json();
  const types = (method: string): string[] => {
    const operation = document.paths["/admin/v1/clients/{client_id}"]?.[method];
    return Object.keys(operation.requestBody.content);
  };
  expect(types("put")).toEqual(["application/json"]);
  expect(types("patch")).toEqual(["application/json", "application/merge-patch+json"]);
  const { patch } = document.paths["/admin/v1/clients/{client_id}"];
  expect(Object.keys(patch.responses[415].headers)).toEqual(["Accept-Patch"]);
  expect(patch.responses[413].headers).toBe(undefined);
});

test("each operation succeeds, and its answer is as described", async () => {
  const uri = "https://new.example.test/v1";
  const path = `/resources/${encodeURIComponent(uri)}`;
  const resource = { uri, name: "new", scopes: ["read"], owner_client_id: null };
  expect((await admin.post("/resources", resource)).status).toBe(201);
  expect((await admin.get("/resources")).status).toBe(200);
  const items = [{ kind: "resource", id: uri }];
  expect((await admin.call("PUT", "/labels/main", { items })).status).toBe(204);
  expect((await admin.get("/labels")).body.items).toContainEqual({ ...items[0], label: "main" });
  expect((await admin.get(path)).body).toEqual(resource);
  const wider = { name: "new", scopes: ["read", "write"], owner_client_id: admin.client.clientId };
  expect((await admin.call("PUT", path, wider)).status).toBe(200);
  expect((await admin.call("DELETE", path)).status).toBe(204);

  const made = await admin.post("/clients", {
    name: "billing",
    auth_methods: ["client_secret_hash_day"],
    grant_types: ["client_credentials"],
    scopes: ["time:read"],
    resources: [API],
  });
  expect(made.status, made.text).toBe(201);
  const id = `/clients/${made.body.client.client_id}`;
  expect((await admin.get("/clients?limit=1&q=BILL&enabled=true&sort=created_at")).status).toBe(
    200,
  );
  const { body: view, etag } = await admin.get(id);
  const put = await admin.call("PUT", id, { ...view, name: "other" }, { "if-match": etag });
  expect(put.status, put.text).toBe(200);
  const patch = await admin.call("PATCH", id, { name: "another" }, { "if-match": put.etag });
  expect(patch.status, patch.text).toBe(200);
  for (const turn of ["disable", "enable", "revoke-tokens"]) {
    expect((await admin.post(`${id}/${turn}`)).status).toBe(200);
  }

  const second = await admin.post(`${id}/secrets`, { kind: "generated", overlap_seconds: 60 });
  expect(second.status, second.text).toBe(201);
  expect((await admin.get(`${id}/secrets`)).body.items.length).toBe(2);
  expect((await admin.get("/secrets")).body.items).toEqual([]);
  expect((await admin.post(`${id}/secrets/${second.body.kid}/revoke`)).status).toBe(204);

  const iss = "https://ci.example.test";
  const trusted = { name: "ci", iss, key_source: "discovery" };
  const conditions = [{ claim: "sub", one_of: ["a"] }];
  const rule = { name: "r", issuer: "ci", client_id: made.body.client.client_id, conditions };
  for (const [segment, body] of [
    ["issuers", trusted],
    ["rules", rule],
  ] as const) {
    const added = await admin.post(`/trust/${segment}`, body);
    expect(added.status, added.text).toBe(201);
    expect((await admin.get(`/trust/${segment}?limit=1`)).body.items).toEqual([added.body]);
    const at = `/trust/${segment}/${body.name}`;
    expect((await admin.get(at)).body).toEqual(added.body);
    const same = await admin.call("PUT", at, added.body, { "if-match": added.etag });
    expect(same.status, same.text).toBe(200);
  }
  const token = "not-a-token";
  expect((await admin.post("/trust/explain", { token })).body.refused).toBe("malformed_assertion");
  expect((await admin.call("DELETE", "/trust/rules/r")).status).toBe(204);
  expect((await admin.call("DELETE", "/trust/issuers/ci")).status).toBe(204);

  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = await admin.post(`${id}/keys`, { jwk: publicKey.export({ format: "jwk" }) });
  expect(key.status, key.text).toBe(201);
  expect((await admin.get(`${id}/keys`)).body.items).toEqual([key.body]);
  expect((await admin.get("/client-keys")).body.items).toContainEqual(
    expect.objectContaining({ kid: key.body.kid }),
  );
  expect((await admin.post(`${id}/keys/${key.body.kid}/revoke`)).status).toBe(204);

  for (const [segment, body] of [
    ["api-keys", { name: "ci" }],
    ["signature-keys", { name: "ci", algorithm: "hmac-sha256" }],
  ] as const) {
    const accessKey = await admin.post(`${id}/${segment}`, body);
    expect(accessKey.status, accessKey.text).toBe(201);
    expect((await admin.get(`${id}/${segment}`)).body.items.length).toBe(1);
    const successor = await admin.post(`${id}/${segment}/${accessKey.body.id}/rotate`);
    expect(successor.status, successor.text).toBe(201);
    const end = await admin.post(`${id}/${segment}/${successor.body.id}/revoke`);
    expect(end.status).toBe(204);
  }

  expect((await admin.call("DELETE", id)).status).toBe(204);

  const next = await admin.post("/keys/rotate");
  expect(next.status, next.text).toBe(201);
  expect((await admin.get("/keys")).status).toBe(200);
  expect((await admin.post(`/keys/${next.body.kid}/revoke`)).status).toBe(204);

  const grant = "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000";
  expect((await admin.post("/revocations", { grant })).status).toBe(200);
  expect((await admin.get("/revocations")).status).toBe(200);
  const explained = await admin.post("/tokens/explain", { token: admin.token });
  expect(explained.body).toMatchObject({ active: true });
  expect((await admin.get("/usage?from=2026-01-01")).body).toEqual({
    items: [],
    next_cursor: null,
  });
  expect((await admin.get("/audit?limit=3")).body.items.length).toBe(3);
  await admin.post("/console/links");
  expect((await admin.get("/audit/verify")).body).toMatchObject({ valid: true });

  const restored = await admin.post("/restored");
  expect(restored.body).toEqual({ clients: 1, restored_at: expect.any(String) });

  const document: Json = (await admin.get("/openapi.json")).body;
  const operations = Object.values<Json>(document.paths).flatMap((methods) =>
    Object.values<Json>(methods).map(({ operationId }) => String(operationId)),
  );
  expect([...admin.openapi.seen].toSorted()).toEqual(operations.toSorted());
});
