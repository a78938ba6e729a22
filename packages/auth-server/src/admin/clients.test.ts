/** Clients through the admin API: what an operator does, and what comes of it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestAdmin, NEW_CLIENT, statusesOf, type TestAdmin } from "../../test/admin.ts";
import { ISSUER, OTHER_API, startAuthServer } from "../../test/auth-server.ts";
import type { Answer, TestAuthServer } from "../../test/auth-server.ts";
import type { Json } from "../../test/openapi.ts";

let server: TestAuthServer;
let admin: TestAdmin;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
});
afterAll(() => server.stop());

/** A token by the secret in a creation's answer. */
async function tokenOf(secret: Json): Promise<Answer> {
  await server.look();
  const client = { ...secret, clientId: secret.client_id, root: secret.client_secret };
  return server.clientCredentials(client);
}

async function epochRow(clientId: string): Promise<Json> {
  const [row] = await server.database.query(
    `select epoch, expires_at > now() + interval '1 hour' as is_long
     from daykey.revocations where kind = 'client' and subject = $1`,
    [clientId],
  );
  return row;
}

describe("registering", () => {
  test("answers the client and its secret, which is shown once and gets a token", async () => {
    const made = await admin.create({ client_id: "billing-cron" });
    expect(made.headers.get("location")).toBe("/admin/v1/clients/billing-cron");
    expect(made.headers.get("cache-control")).toBe("no-store");
    expect(made.etag).toBe('"1"');
    expect(made.body).toEqual({
      client: {
        client_id: "billing-cron",
        ...NEW_CLIENT,
        enabled: true,
        epoch: 0,
        access_token_seconds: null,
        refresh_idle_seconds: null,
        refresh_absolute_seconds: null,
        access_token_format: "jwt",
        jwks_uri: null,
        require_assertion_typ: false,
        dpop: "optional",
        exchange: null,
        tls_client_auth: null,
        tls_client_certificate_bound_access_tokens: false,
        resource_scopes: null,
        quotas: [],
        token_quotas: [],
        ext: {},
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        updated_at: made.body.client.created_at,
        version: 1,
      },
      secret: {
        client_id: "billing-cron",
        kid: expect.stringMatching(/^[a-z0-9]{8}$/),
        salt: expect.stringMatching(/^[0-9a-f]{32}$/),
        client_secret: expect.stringMatching(/^dks_/),
        expires_at: expect.stringMatching(/Z$/),
      },
    });
    expect((await tokenOf(made.body.secret)).status).toBe(200);
    const read = await admin.get("/clients/billing-cron");
    expect([read.status, read.etag, read.body]).toEqual([200, '"1"', made.body.client]);
  });

  test.each([
    ["60.0", "1000.00"],
    ["6e1", "1e3"],
    ["0.6E+2", "100000e-2"],
  ])("takes %s and %s for integers (RFC 8259 §6)", async (life, limit) => {
    const quota = { limit: JSON.rawJSON(limit), window: "day" };
    const { body } = await admin.create({
      access_token_seconds: JSON.rawJSON(life),
      quotas: [quota],
    });
    expect(body.client).toMatchObject({
      access_token_seconds: 60,
      quotas: [{ limit: 1000, window: "day" }],
    });
  });

  test.each(["60.5", "1e-400000", "1e400", "1e400000", "-1e999999999", "1".repeat(5001)])(
    "with a life of %s is 400",
    async (life) => {
      const part = { access_token_seconds: JSON.rawJSON(life) };
      const { status, body } = await admin.post("/clients", { ...NEW_CLIENT, ...part });
      expect([status, body.type, body.detail]).toEqual([
        400,
        "urn:daykey:problem:invalid-body",
        expect.stringMatching(/^access_token_seconds: /),
      ]);
    },
  );

  test("keeps every member that was given", async () => {
    const given = {
      access_token_seconds: 60,
      refresh_idle_seconds: 3600,
      refresh_absolute_seconds: 7200,
      access_token_format: "opaque",
      jwks_uri: "https://keys.example.test/jwks.json",
      require_assertion_typ: true,
      quotas: [
        { limit: 5, window: "day" },
        { limit: 0, window: "second", scope: "other:write" },
      ],
      token_quotas: [
        { limit: 60, window: "minute" },
        { limit: 0, window: "day" },
      ],
      ext: { tenant: "acme", plan: { level: 3, of: ["a", true, null] } },
      resources: [OTHER_API, ISSUER],
      scopes: ["other:write", "revocations:read"],
    };
    const made = await admin.create({ ...given, secret: null });
    expect(made.body.secret).toBeNull();
    expect(made.body.client).toMatchObject({ ...NEW_CLIENT, ...given });
  });

  test("makes an id where none is given, and each another", async () => {
    const ids = [await admin.create(), await admin.create()].map(
      ({ body }) => body.client.client_id,
    );
    expect(new Set(ids).size).toBe(2);
    expect(ids[0]).toMatch(/^[a-z0-9]{16}$/);
  });

  test("of an id in use is 409, of one that was deleted too", async () => {
    const { body } = await admin.create({ client_id: "once" });
    const taken = await admin.post("/clients", { ...NEW_CLIENT, client_id: "once" });
    expect([taken.status, taken.body.type]).toEqual([409, "urn:daykey:problem:client-exists"]);
    expect((await admin.call("DELETE", `/clients/${body.client.client_id}`)).status).toBe(204);
    const reused = await admin.post("/clients", { ...NEW_CLIENT, client_id: "once" });
    expect(reused.status).toBe(409);
  });

  test.each([
    { scopes: ["other:write"] },
    { resources: ["https://unknown.example.test"] },
    { auth_methods: ["client_secret_hash_day", "client_secret_hash_day"] },
    { access_token_seconds: 3601 },
    { jwks_uri: "http://keys.example.test/jwks.json" },
    { jwks_uri: "https://user:pass@keys.example.test/" },
    { jwks_uri: "https://keys.example.test/#here" },
    { jwks_uri: "file:///etc/passwd" },
    { jwks_uri: "keys.json" },
    { quotas: [{ limit: 1, window: "day", scope: "other:write" }] },
    { quotas: [1, 2].map((limit) => ({ limit, window: "day" })) },
    { token_quotas: [1, 2].map((limit) => ({ limit, window: "day" })) },
    { ext: { repository: "${repository}" } },
  ])("with %o is 400, and nothing is written", async (part) => {
    const before = (await admin.audit()).length;
    const answer = await admin.post("/clients", { ...NEW_CLIENT, client_id: "never", ...part });
    expect([answer.status, answer.body.type]).toEqual([
      400,
      "urn:daykey:problem:invalid-registration",
    ]);
    expect((await admin.get("/clients/never")).status).toBe(404);
    expect((await admin.audit()).length).toBe(before);
  });
});

describe("changing", () => {
  test("PATCH changes what it names, PUT all; both raise the version", async () => {
    const { body, etag } = await admin.create({ access_token_seconds: 60 });
    const path = `/clients/${body.client.client_id}`;
    const patch = { name: "renamed", access_token_seconds: null };
    const patched = await admin.call("PATCH", path, patch, { "if-match": etag });
    expect(patched.body).toEqual({
      ...body.client,
      ...patch,
      version: 2,
      updated_at: expect.any(String),
    });
    expect(patched.etag).toBe('"2"');
    const whole = { ...patched.body, scopes: ["primes:check"] };
    const put = await admin.call("PUT", path, whole, { "if-match": patched.etag });
    expect(put.body).toEqual({ ...whole, version: 3, updated_at: expect.any(String) });
    const [, second, third] = (await admin.audit()).filter(
      ({ target }) => target === body.client.client_id,
    );
    expect(second).toMatchObject({
      actor: admin.client.clientId,
      action: "client.change",
      detail: { before: body.client, after: patched.body },
    });
    expect(third.detail).toEqual({ before: patched.body, after: put.body });
  });

  test("A4: GET then PUT of the same body changes nothing: no version, no audit row", async () => {
    const quotas = [{ scope: "time:read", window: "day", limit: 5 }];
    const { body, etag } = await admin.create({ quotas });
    const path = `/clients/${body.client.client_id}`;
    const rows = (await admin.audit()).length;
    for (const method of ["PUT", "PATCH"]) {
      const answer = await admin.call(method, path, body.client, { "if-match": etag });
      expect([answer.status, answer.etag, answer.body]).toEqual([200, '"1"', body.client]);
    }
    for (const patch of [{}, { quotas }]) {
      const answer = await admin.call("PATCH", path, patch, { "if-match": etag });
      expect([answer.etag, answer.body]).toEqual(['"1"', body.client]);
    }
    expect((await admin.audit()).length).toBe(rows);
  });

  test.each([
    { client_id: "another" },
    { enabled: false },
    { epoch: 7 },
    { version: 9 },
    { created_at: "2020-01-01T00:00:00Z" },
    { updated_at: "2020-01-01T00:00:00Z" },
  ])("what only the server decides cannot be changed: %o is 400", async (part) => {
    const { body, etag } = await admin.create();
    const path = `/clients/${body.client.client_id}`;
    const answer = await admin.call("PUT", path, { ...body.client, ...part }, { "if-match": etag });
    expect([answer.status, answer.body.type]).toEqual([400, "urn:daykey:problem:read-only-member"]);
    expect((await admin.get(path)).body).toEqual(body.client);
  });

  test("PUT needs every member that is decided", async () => {
    const { body, etag } = await admin.create();
    for (const name of [...Object.keys(NEW_CLIENT), "access_token_seconds", "jwks_uri"]) {
      const { [name]: _left, ...rest } = body.client;
      const path = `/clients/${body.client.client_id}`;
      expect((await admin.call("PUT", path, rest, { "if-match": etag })).status, name).toBe(400);
    }
  });
});

describe("A8: no lost update", () => {
  test("PUT and PATCH without If-Match are 428, with another ETag 412", async () => {
    const { body } = await admin.create();
    const path = `/clients/${body.client.client_id}`;
    for (const method of ["PUT", "PATCH"]) {
      expect((await admin.call(method, path, body.client)).status).toBe(428);
      for (const tag of ['"2"', 'W/"1"', '"2", "3"', '""']) {
        const answer = await admin.call(method, path, body.client, { "if-match": tag });
        expect(answer.status, tag).toBe(412);
      }
      for (const tag of ["1", '"1', "'1'", '"1" "2"']) {
        const answer = await admin.call(method, path, body.client, { "if-match": tag });
        expect(answer.status, tag).toBe(400);
      }
      for (const tag of ["*", '"0", "1"']) {
        const answer = await admin.call(method, path, body.client, { "if-match": tag });
        expect(answer.status, tag).toBe(200);
      }
    }
  });

  test("of twenty PATCHes with one ETag at once, one is 200 and the others 412", async () => {
    const { body, etag } = await admin.create();
    const path = `/clients/${body.client.client_id}`;
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        admin.call("PATCH", path, { name: `name ${i}` }, { "if-match": etag }),
      ),
    );
    const statuses = statusesOf(answers);
    expect(statuses).toEqual([200, ...Array.from({ length: 19 }, () => 412)]);
    const winner = answers.find(({ status }) => status === 200);
    expect((await admin.get(path)).body).toEqual(winner?.body);
  });
});

describe("ending", () => {
  test("disable raises the epoch, leaves the news, and is told once; enable lowers nothing", async () => {
    const { body } = await admin.create();
    const id = body.client.client_id;
    const off = await admin.post(`/clients/${id}/disable`);
    expect(off.body).toMatchObject({ enabled: false, epoch: 1, version: 2 });
    expect(await epochRow(id)).toEqual({ epoch: 1, is_long: true });
    expect((await admin.post(`/clients/${id}/disable`)).body).toEqual(off.body);
    expect((await tokenOf(body.secret)).status).toBe(401);
    const on = await admin.post(`/clients/${id}/enable`);
    expect(on.body).toMatchObject({ enabled: true, epoch: 1, version: 3 });
    expect((await admin.post(`/clients/${id}/enable`)).body).toEqual(on.body);
    expect((await tokenOf(body.secret)).status).toBe(200);
    const actions = (await admin.audit()).filter(({ target }) => target === id);
    expect(actions.map(({ action }) => action)).toEqual([
      "client.create",
      "client.disable",
      "client.enable",
    ]);
  });

  test("R9: revoke-tokens ends what was issued, and not what comes", async () => {
    const { body } = await admin.create();
    const id = body.client.client_id;
    const before = await tokenOf(body.secret);
    const client = { ...body.secret, clientId: id, root: body.secret.client_secret };
    const twice = [
      await admin.post(`/clients/${id}/revoke-tokens`),
      await admin.post(`/clients/${id}/revoke-tokens`),
    ];
    expect(twice.map((answer) => answer.body.epoch)).toEqual([1, 2]);
    expect(await epochRow(id)).toEqual({ epoch: 2, is_long: true });
    await server.look();
    expect((await server.refresh(client, before.body["refresh_token"])).status).toBe(400);
    expect((await tokenOf(body.secret)).status).toBe(200);
  });

  test("DELETE leaves a tombstone without verifiers, and refuses the client", async () => {
    const { body, etag } = await admin.create();
    const id = body.client.client_id;
    const uri = `https://${id}.example.test`;
    const resource = { uri, name: "owned", scopes: ["read"], owner_client_id: id };
    await admin.post("/resources", resource);
    expect(
      (await admin.call("DELETE", `/clients/${id}`, undefined, { "if-match": '"9"' })).status,
    ).toBe(412);
    expect(
      (await admin.call("DELETE", `/clients/${id}`, undefined, { "if-match": etag })).status,
    ).toBe(204);
    expect((await admin.call("DELETE", `/clients/${id}`)).status).toBe(404);
    expect((await tokenOf(body.secret)).status).toBe(401);
    expect(await epochRow(id)).toEqual({ epoch: 1, is_long: true });
    const rows = await server.database.query(
      "select revoked_at is not null as revoked, octet_length(verifiers) as bytes from daykey.secrets where client_id = $1",
      [id],
    );
    expect(rows).toEqual([{ revoked: true, bytes: 0 }]);
    const owned = await admin.get(`/resources/${encodeURIComponent(uri)}`);
    expect(owned.body.owner_client_id).toBeNull();
    const path = `/clients/${id}`;
    for (const [method, part, sent] of [
      ["GET", ""],
      ["POST", "/disable"],
      ["POST", "/enable"],
      ["POST", "/revoke-tokens"],
      ["GET", "/secrets"],
      ["POST", "/secrets", { kind: "generated" }],
      ["GET", "/keys"],
    ] as const) {
      expect((await admin.call(method, `${path}${part}`, sent)).status, part).toBe(404);
    }
  });
});
