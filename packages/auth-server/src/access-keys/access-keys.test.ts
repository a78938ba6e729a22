/** API keys and signature keys: made, told to their resource's server, rotated, ended. */
import { createHash, generateKeyPairSync } from "node:crypto";
import { createDatabase } from "@daykey/service/database";
import { createTestLog } from "@daykey/service/test/log";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestAdmin, statusesOf, type TestAdmin } from "../../test/admin.ts";
import {
  API,
  ISSUER,
  OTHER_API,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import type { Json } from "../../test/openapi.ts";
import { createRegistrationsStore } from "../clients/registrations-store.ts";
import { openMasterKey } from "../keys/master-key.ts";
import { createSealer } from "../keys/sealing.ts";
import { createResourcesStore } from "../resources/resources-store.ts";
import { createAccessKeysStore } from "./access-keys-store.ts";
import { createAccessKeyRegistrar } from "./register.ts";

const INACTIVE = '{"active":false}';
const DAY = 86_400;
const SCOPES = ["time:read", "primes:check"];

let server: TestAuthServer;
let admin: TestAdmin;
let owner: TestClient;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
  owner = await server.createClient({ scopes: ["introspect"], resources: [ISSUER] });
  await own(API, owner);
});
afterAll(() => server.stop());

async function own(uri: string, client: TestClient): Promise<void> {
  const path = `/resources/${encodeURIComponent(uri)}`;
  const { body } = await admin.get(path);
  await admin.call("PUT", path, { ...body, owner_client_id: client.clientId });
  await server.look();
}

const publicJwk = () => generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
const introspect = (by: TestClient, token: string) =>
  server.postAs(by, "/oauth2/introspect", { token });
const signatureKey = (by: TestClient, key_id: string) =>
  server.postAs(by, "/signature-keys", { key_id });

/** Each kind of key: its path, how one is asked for, and what its resource's server asks. */
const KINDS = [
  { path: "api-keys", kind: "api_key", body: () => ({}) },
  { path: "signature-keys", kind: "signature_key", body: () => ({ algorithm: "hmac-sha256" }) },
  {
    path: "signature-keys",
    kind: "signature_key",
    body: () => ({ algorithm: "ed25519", jwk: publicJwk() }),
  },
];

async function make(client: TestClient, path: string, body: object): Promise<Json> {
  const made = await admin.post(`/clients/${client.clientId}/${path}`, { name: "a key", ...body });
  expect(made.status, made.text).toBe(201);
  return made.body;
}

/** As its resource's server asks about it. */
const ask = (key: Json, by = owner) =>
  key.api_key === undefined ? signatureKey(by, key.id) : introspect(by, key.api_key);

test("an API key is told once, and to its resource's server as access of the client", async () => {
  const client = await server.createClient({
    quotas: [
      { limit: 5, window: "day" },
      { limit: 1, window: "second", scope: "other:write" },
    ],
  });
  const keyQuotas = [{ limit: 100, window: "minute", scope: "time:read" }];
  const made = await admin.post(`/clients/${client.clientId}/api-keys`, {
    name: "ci",
    quotas: keyQuotas,
  });
  expect([made.status, made.headers.get("cache-control")]).toEqual([201, "no-store"]);
  const { api_key, ...view } = made.body;
  expect(view).toEqual({
    id: expect.stringMatching(/^[a-z0-9]{12}$/),
    client_id: client.clientId,
    name: "ci",
    resource: API,
    scopes: SCOPES,
    quotas: keyQuotas,
    created_at: expect.stringMatching(/Z$/),
    expires_at: expect.stringMatching(/Z$/),
    last_used_at: null,
    revoked_at: null,
    live: true,
  });
  expect(api_key).toMatch(new RegExp(`^dkk_${view.id}_[0-9a-f]{64}_[0-9a-f]{8}$`));
  const listed = await admin.get(`/clients/${client.clientId}/api-keys`);
  expect(listed.body).toEqual({ items: [view] });

  const { headers, body } = await introspect(owner, api_key);
  expect(headers.get("cache-control")).toBe("no-store");
  expect(body).toEqual({
    active: true,
    token_type: "api_key",
    iss: ISSUER,
    sub: client.clientId,
    client_id: client.clientId,
    aud: API,
    scope: "time:read primes:check",
    iat: Date.parse(view.created_at) / 1000,
    exp: Date.parse(view.expires_at) / 1000,
    ep: 0,
    cred: view.id,
    quota: [{ limit: 5, window: "day" }],
    key_quota: keyQuotas,
  });
});

test("a signature key is told to its resource's server, a public one to its client too", async () => {
  const client = await server.createClient();
  const jwk = publicJwk();
  const asymmetric = await make(client, "signature-keys", {
    algorithm: "ed25519",
    jwk,
    days: null,
  });
  expect(asymmetric).toMatchObject({ algorithm: "ed25519", jwk, expires_at: null });
  expect(asymmetric).not.toHaveProperty("secret");
  const answer = {
    active: true,
    iss: ISSUER,
    client_id: client.clientId,
    aud: API,
    scope: "time:read primes:check",
    ep: 0,
    cred: asymmetric.id,
    alg: "ed25519",
    jwk,
  };
  for (const caller of [owner, client]) {
    const { headers, body } = await signatureKey(caller, asymmetric.id);
    expect([headers.get("cache-control"), body]).toEqual(["no-store", answer]);
  }

  const symmetric = await make(client, "signature-keys", { algorithm: "hmac-sha256" });
  expect(symmetric).toMatchObject({ algorithm: "hmac-sha256", jwk: null });
  expect(Buffer.from(symmetric.secret, "base64url").length).toBe(32);
  expect((await signatureKey(owner, symmetric.id)).body).toMatchObject({
    alg: "hmac-sha256",
    jwk: { kty: "oct", k: symmetric.secret },
  });
  expect((await signatureKey(client, symmetric.id)).text).toBe(INACTIVE);

  const secret = Buffer.from("a key that both sides have had for years").toString("base64url");
  const brought = await make(client, "signature-keys", { algorithm: "hmac-sha256", secret });
  expect(brought).not.toHaveProperty("secret");
  expect((await signatureKey(owner, brought.id)).body["jwk"]).toEqual({ kty: "oct", k: secret });
});

describe.each(KINDS)("$path $body", ({ path, kind, body }) => {
  const UNDONE: [why: string, change: string][] = [
    ["its client is disabled", "update daykey.clients set enabled = false where client_id = $1"],
    ["its client is deleted", "update daykey.clients set deleted_at = now() where client_id = $1"],
    [
      "its client lost the resource",
      "update daykey.clients set resources = '{x}' where client_id = $1",
    ],
    ["its client lost its scopes", "update daykey.clients set scopes = '{x}' where client_id = $1"],
    ["it has expired", "update daykey.access_keys set expires_at = now() where client_id = $1"],
  ];
  test.each(UNDONE)("is inactive once %s", async (_why, change) => {
    const client = await server.createClient();
    const key = await make(client, path, body());
    expect((await ask(key)).body["active"]).toBe(true);
    await server.database.query(change, [client.clientId]);
    expect((await ask(key)).text).toBe(INACTIVE);
  });

  test("is inactive for whoever does not own its resource", async () => {
    const client = await server.createClient();
    const key = await make(client, path, body());
    expect((await ask(key, await server.createClient())).text).toBe(INACTIVE);
    const elsewhere = await make(client, path, { ...body(), resource: OTHER_API });
    expect((await ask(elsewhere)).text).toBe(INACTIVE);
  });

  test("has the scopes that key, client and resource all have now", async () => {
    const client = await server.createClient();
    const key = await make(client, path, { ...body(), scopes: [...SCOPES].toReversed() });
    expect((await ask(key)).body["scope"]).toBe("primes:check time:read");
    await server.database.query(
      "update daykey.clients set scopes = '{time:read,other:write}' where client_id = $1",
      [client.clientId],
    );
    expect((await ask(key)).body["scope"]).toBe("time:read");
  });

  test("outlives the end of its client's tokens, and tells the new epoch", async () => {
    const client = await server.createClient();
    const key = await make(client, path, body());
    await admin.post(`/clients/${client.clientId}/revoke-tokens`);
    expect((await ask(key)).body).toMatchObject({ active: true, ep: 1 });
  });

  test("is revoked at once, with news for resource servers, recorded once", async () => {
    const client = await server.createClient();
    const key = await make(client, path, body());
    const end = `/clients/${client.clientId}/${path}/${key.id}/revoke`;
    expect((await admin.post(end)).status).toBe(204);
    expect((await ask(key)).text).toBe(INACTIVE);
    expect((await admin.post(end)).status).toBe(204);
    const subject = `${client.clientId} ${key.id}`;
    const news = (await admin.get("/revocations")).body.items;
    expect(news).toContainEqual(expect.objectContaining({ kind: "credential", subject }));
    const rows = (await admin.audit()).filter(({ target }) => target === subject);
    expect(rows.map(({ action }) => action)).toEqual([`${kind}.create`, `${kind}.revoke`]);
    expect(rows[1].detail).toEqual({
      before: rows[0].detail.after,
      after: { ...rows[0].detail.after, revoked_at: expect.any(String) },
    });
    expect(
      await server.database.query("select sealed from daykey.access_keys where id = $1", [key.id]),
    ).toEqual([{ sealed: null }]);
  });

  test("is rotated: a successor on the same terms, and the old one for the overlap", async () => {
    const client = await server.createClient();
    const terms = { scopes: ["time:read"], quotas: [{ limit: 3, window: "hour" }] };
    const key = await make(client, path, { ...body(), ...terms, name: "rotated", days: null });
    const of = `/clients/${client.clientId}/${path}`;
    const { algorithm: _algorithm, ...material } = body() as { algorithm?: string };
    const next = await admin.post(`${of}/${key.id}/rotate`, { ...material, overlap_seconds: 60 });
    expect(next.status, next.text).toBe(201);
    expect(next.body).toMatchObject({ ...terms, name: "rotated", resource: API });
    expect(next.body.id).not.toBe(key.id);
    for (const each of [key, next.body]) expect((await ask(each)).body["active"]).toBe(true);
    const [, old] = (await admin.get(of)).body.items;
    expect(Date.parse(old.expires_at) / 1000).toBeCloseTo(server.now() + 60, -1);

    const again = await admin.post(`${of}/${next.body.id}/rotate`, {
      ...material,
      overlap_seconds: 0,
    });
    expect(again.status, again.text).toBe(201);
    expect((await ask(next.body)).text).toBe(INACTIVE);
    const ended = await admin.post(`${of}/${next.body.id}/rotate`, material);
    expect([ended.status, ended.body.type]).toEqual([409, "urn:daykey:problem:key-ended"]);
    expect((await admin.post(`${of}/zzzzzzzzzzzz/rotate`, material)).status).toBe(404);
    const [row] = (await admin.audit()).filter(
      ({ target }) => target === `${client.clientId} ${next.body.id}`,
    );
    expect([row.action, row.detail.before.id]).toEqual([`${kind}.rotate`, key.id]);
  });
});

test("V10: whatever only looks like an API key is inactive, byte for byte the same", async () => {
  const { api_key: key, id } = await make(await server.createClient(), "api-keys", {});
  const [, , random, checksum] = key.split("_") as [string, string, string, string];
  const other = random.startsWith("0") ? "1" : "0";
  const symmetric = await make(await server.createClient(), "signature-keys", {
    algorithm: "hmac-sha256",
  });
  for (const text of [
    `dkk_${id}_${other}${random.slice(1)}_${checksum}`,
    `dkk_${id}_${random}_${checksum.startsWith("0") ? "1" : "0"}${checksum.slice(1)}`,
    `dkk_zzzzzzzzzzzz_${random}_${checksum}`,
    `dkk_${symmetric.id}_${random}_${checksum}`,
    key.toUpperCase(),
    `${key} `,
    key.slice(0, -1),
    `dkk_${id}`,
    "dkk_",
    `dkk_${"a".repeat(4000)}`,
  ]) {
    expect((await introspect(owner, text)).text, text).toBe(INACTIVE);
  }
});

test("POST /signature-keys takes an id that is none for an unknown one, and wants a client", async () => {
  const { id } = await make(await server.createClient(), "api-keys", {});
  for (const text of [id, "zzzzzzzzzzzz", "x", "ZZZZZZZZZZZZ", "../../etc", "a'--", "\u{1f5dd}"]) {
    expect((await signatureKey(owner, text)).text, text).toBe(INACTIVE);
  }
  const missing = await server.postAs(owner, "/signature-keys", {});
  expect([missing.status, missing.body["error"]]).toEqual([400, "invalid_request"]);
  expect((await server.post("/signature-keys", { key_id: id })).status).toBe(401);
});

test.each<[string, string, object]>([
  ["a scope the client lacks", "api-keys", { scopes: ["other:read"] }],
  ["a scope of another resource", "api-keys", { scopes: ["other:write"] }],
  ["a scope twice", "api-keys", { scopes: ["time:read", "time:read"] }],
  ["another client's resource", "api-keys", { resource: "https://x.example.test" }],
  ["the issuer", "api-keys", { resource: ISSUER }],
  ["401 days", "api-keys", { days: 401 }],
  [
    "a quota for a scope it lacks",
    "api-keys",
    { quotas: [{ limit: 1, window: "day", scope: "x" }] },
  ],
  [
    "two quotas for a day",
    "api-keys",
    { quotas: [1, 2].map((limit) => ({ limit, window: "day" })) },
  ],
  ["a secret of 31 bytes", "signature-keys", secretOf(31)],
  ["a secret of 129 bytes", "signature-keys", secretOf(129)],
  ["a secret that is no canonical base64url", "signature-keys", secretOf(32, "_")],
  ["no public key", "signature-keys", { algorithm: "ed25519" }],
  ["a private key", "signature-keys", privateKey()],
  ["a P-256 key", "signature-keys", { algorithm: "ed25519", jwk: p256() }],
  ["a short x", "signature-keys", { algorithm: "ed25519", jwk: { ...publicJwk(), x: "AAAA" } }],
  ["another algorithm", "signature-keys", { algorithm: "rsa-pss-sha512" }],
])("a key with %s is 400", async (_what, path, body) => {
  const client = await server.createClient();
  const { status, text } = await admin.post(`/clients/${client.clientId}/${path}`, {
    name: "x",
    ...body,
  });
  expect(status, text).toBe(400);
});

function secretOf(bytes: number, tail = ""): object {
  const secret = Buffer.alloc(bytes, 7).toString("base64url");
  return { algorithm: "hmac-sha256", secret: secret.slice(0, secret.length - tail.length) + tail };
}

function privateKey(): object {
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return { algorithm: "ed25519", jwk };
}

function p256(): object {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
}

test("a successor is of its key's algorithm", async () => {
  const client = await server.createClient();
  const key = await make(client, "signature-keys", { algorithm: "hmac-sha256" });
  const path = `/clients/${client.clientId}/signature-keys/${key.id}/rotate`;
  expect((await admin.post(path, { jwk: publicJwk() })).status).toBe(400);
});

test("of ten asked for at once beside 99 live ones, one is made", async () => {
  const client = await server.createClient();
  await server.database.query(
    `insert into daykey.access_keys (id, client_id, kind, name, resource, scopes, hash)
     select lpad(n::text, 12, '0'), $1, 'api_key', 'x', $2, '{time:read}', sha256('x')
     from generate_series(1, 99) n`,
    [client.clientId, API],
  );
  const path = `/clients/${client.clientId}/api-keys`;
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => admin.post(path, { name: "x" })),
  );
  expect(statusesOf(answers)).toEqual([201, ...Array.from({ length: 9 }, () => 409)]);
});

test("a deleted client's keys are revoked, and are nobody's to list", async () => {
  const client = await server.createClient();
  const key = await make(client, "signature-keys", { algorithm: "hmac-sha256" });
  expect((await admin.call("DELETE", `/clients/${client.clientId}`)).status).toBe(204);
  expect((await ask(key)).text).toBe(INACTIVE);
  expect((await admin.get(`/clients/${client.clientId}/signature-keys`)).status).toBe(404);
  const rows = await server.database.query<{ sealed: null; revoked_at: Date | null }>(
    "select sealed, revoked_at from daykey.access_keys where id = $1",
    [key.id],
  );
  expect(rows).toEqual([{ sealed: null, revoked_at: expect.any(Date) }]);
});

test("C7: neither the database, any GET, the audit log nor the log holds a key", async () => {
  const client = await server.createClient();
  const { api_key: apiKey } = await make(client, "api-keys", {});
  const { id, secret } = await make(client, "signature-keys", { algorithm: "hmac-sha256" });
  await introspect(owner, apiKey);
  await signatureKey(owner, id);
  const canaries = [apiKey, apiKey.split("_")[2], secret].flatMap((text: string) => [
    text,
    Buffer.from(text).toString("hex"),
    Buffer.from(text, "base64url").toString("hex"),
  ]);
  const tables = await server.database.query<{ name: string }>(
    "select tablename as name from pg_tables where schemaname = 'daykey'",
  );
  const contents = [JSON.stringify(server.lines)];
  for (const { name } of tables) {
    const rows = await server.database.query(`select t::text as row from daykey.${name} t`);
    contents.push(JSON.stringify(rows));
  }
  for (const path of ["api-keys", "signature-keys"]) {
    contents.push((await admin.get(`/clients/${client.clientId}/${path}`)).text);
  }
  contents.push((await admin.get("/audit?limit=200")).text);
  const content = contents.join("\n");
  expect(content).toContain(id);
  expect(canaries.filter((canary) => content.includes(canary))).toEqual([]);
});

test("a use is recorded by the instance that saw it, at its end at the latest", async () => {
  const client = await server.createClient();
  const key = await make(client, "api-keys", {});
  const symmetric = await make(client, "signature-keys", { algorithm: "hmac-sha256" });
  const unused = await make(client, "api-keys", {});
  const other = await startAuthServer({ database: server.database });
  const form = async (name: string, value: string) => ({
    client_id: owner.clientId,
    client_secret_hash: await server.dayForm(owner),
    [name]: value,
  });
  await other.post("/oauth2/introspect", await form("token", key.api_key));
  await other.post("/signature-keys", await form("key_id", symmetric.id));
  await other.stop();
  const rows = await server.database.query(
    `select id, last_used_at is not null as used from daykey.access_keys
     where client_id = $1 order by used, kind`,
    [client.clientId],
  );
  expect(rows).toEqual([
    { id: unused.id, used: false },
    { id: key.id, used: true },
    { id: symmetric.id, used: true },
  ]);
});

test("expiry is the database's: a key made for a day is good for a day", async () => {
  const client = await server.createClient();
  const key = await make(client, "api-keys", { days: 1 });
  expect(Date.parse(key.expires_at) / 1000).toBeCloseTo(server.now() + DAY, -1);
});

test("an id that is taken is not used again: another one is made", async () => {
  const client = await server.createClient();
  const { id } = await make(client, "api-keys", {});
  const { log } = createTestLog();
  const database = createDatabase({ connectionString: server.database.appUrl, log });
  const store = createAccessKeysStore(database, {
    issuer: ISSUER,
    newsSeconds: 60,
    sealer: createSealer(await openMasterKey(server.config.masterKey, Buffer.alloc(16))),
  });
  let tries = 0;
  const registrar = createAccessKeyRegistrar({
    store: {
      ...store,
      add: async (key, record) => store.add(++tries === 1 ? { ...key, id } : key, record),
    },
    registrations: createRegistrationsStore(database, { issuer: ISSUER, newsSeconds: 60 }),
    resources: createResourcesStore(database, ISSUER),
    issuer: ISSUER,
    clock: server.now,
  });
  const wish = {
    clientId: client.clientId,
    name: "second",
    material: { kind: "api_key" },
  } as const;
  const { key, secret } = await registrar.create(wish, async () => undefined);
  await database.close();
  expect([tries, key.id === id, secret?.includes(key.id)]).toEqual([2, false, true]);
});

// The last one: afterwards this file's server cannot open its own keys any more.
test("a change of the master key seals symmetric keys anew", async () => {
  const { id, secret } = await make(await server.createClient(), "signature-keys", {
    algorithm: "hmac-sha256",
  });
  const masterKey = createHash("sha256").update("the next master key").digest("hex");
  const masterKeyPrevious = server.config.masterKey;
  const { database } = server;
  const changing = await startAuthServer({ database, config: { masterKey, masterKeyPrevious } });
  await changing.stop();
  const changed = await startAuthServer({ database, config: { masterKey } });
  const { body } = await changed.postAs(owner, "/signature-keys", { key_id: id });
  await changed.stop();
  expect(body["jwk"]).toEqual({ kty: "oct", k: secret });
});
