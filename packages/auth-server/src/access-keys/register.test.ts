/** What access keys may be made of, where they are kept, and what a stranger learns of them. */
import { createHash, generateKeyPairSync } from "node:crypto";
import { createDatabase } from "@daykey/service/database/database";
import { createTestLog } from "@daykey/service/test/log";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AccessKeyBench, publicJwk, startAccessKeyBench } from "../../test/access-keys.ts";
import { statusesOf } from "../../test/admin.ts";
import { API, ISSUER, startAuthServer } from "../../test/auth-server.ts";
import { createRegistrationsStore } from "../registration/registrations-store.ts";
import { openMasterKey } from "../keys/master-key.ts";
import { createSealer } from "../keys/sealing.ts";
import { createResourcesStore } from "../resources/resources-store.ts";
import { createAccessKeysStore } from "./access-keys-store.ts";
import { createAccessKeyRegistrar } from "./register.ts";

const INACTIVE = '{"active":false}';
const DAY = 86_400;
let bench: AccessKeyBench;
beforeAll(async () => {
  bench = await startAccessKeyBench();
});
afterAll(() => bench.server.stop());

test("V10: whatever only looks like an API key is inactive, byte for byte the same", async () => {
  const { api_key: key, id } = await bench.make(await bench.server.createClient(), "api-keys", {});
  const [, , random, checksum] = key.split("_") as [string, string, string, string];
  const other = random.startsWith("0") ? "1" : "0";
  const symmetric = await bench.make(await bench.server.createClient(), "signature-keys", {
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
    expect((await bench.introspect(bench.owner, text)).text, text).toBe(INACTIVE);
  }
});

test("POST /signature-keys takes an id that is none for an unknown one, and wants a client", async () => {
  const { id } = await bench.make(await bench.server.createClient(), "api-keys", {});
  for (const text of [id, "zzzzzzzzzzzz", "x", "ZZZZZZZZZZZZ", "../../etc", "a'--", "\u{1f5dd}"]) {
    expect((await bench.signatureKey(bench.owner, text)).text, text).toBe(INACTIVE);
  }
  const missing = await bench.server.postAs(bench.owner, "/signature-keys", {});
  expect([missing.status, missing.body["error"]]).toEqual([400, "invalid_request"]);
  expect((await bench.server.post("/signature-keys", { key_id: id })).status).toBe(401);
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
  [
    "a point of small order",
    "signature-keys",
    { algorithm: "ed25519", jwk: { ...publicJwk(), x: `AQ${"A".repeat(41)}` } },
  ],
  ["another algorithm", "signature-keys", { algorithm: "rsa-pss-sha512" }],
])("a key with %s is 400", async (_what, path, body) => {
  const client = await bench.server.createClient();
  const { status, text } = await bench.admin.post(`/clients/${client.clientId}/${path}`, {
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
  const client = await bench.server.createClient();
  const key = await bench.make(client, "signature-keys", { algorithm: "hmac-sha256" });
  const path = `/clients/${client.clientId}/signature-keys/${key.id}/rotate`;
  expect((await bench.admin.post(path, { jwk: publicJwk() })).status).toBe(400);
});

test("of ten asked for at once beside 99 live ones, one is made", async () => {
  const client = await bench.server.createClient();
  await bench.server.database.query(
    `insert into daykey.access_keys (id, client_id, kind, name, resource, scopes, hash)
     select lpad(n::text, 12, '0'), $1, 'api_key', 'x', $2, '{time:read}', sha256('x')
     from generate_series(1, 99) n`,
    [client.clientId, API],
  );
  const path = `/clients/${client.clientId}/api-keys`;
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => bench.admin.post(path, { name: "x" })),
  );
  expect(statusesOf(answers)).toEqual([201, ...Array.from({ length: 9 }, () => 409)]);
});

test("a deleted client's keys are revoked, and are nobody's to list", async () => {
  const client = await bench.server.createClient();
  const key = await bench.make(client, "signature-keys", { algorithm: "hmac-sha256" });
  expect((await bench.admin.call("DELETE", `/clients/${client.clientId}`)).status).toBe(204);
  expect((await bench.ask(key)).text).toBe(INACTIVE);
  expect((await bench.admin.get(`/clients/${client.clientId}/signature-keys`)).status).toBe(404);
  const rows = await bench.server.database.query<{ sealed: null; revoked_at: Date | null }>(
    "select sealed, revoked_at from daykey.access_keys where id = $1",
    [key.id],
  );
  expect(rows).toEqual([{ sealed: null, revoked_at: expect.any(Date) }]);
});

test("C7: neither the database, any GET, the audit log nor the log holds a key", async () => {
  const client = await bench.server.createClient();
  const { api_key: apiKey } = await bench.make(client, "api-keys", {});
  const { id, secret } = await bench.make(client, "signature-keys", { algorithm: "hmac-sha256" });
  await bench.introspect(bench.owner, apiKey);
  await bench.signatureKey(bench.owner, id);
  const canaries = [apiKey, apiKey.split("_")[2], secret].flatMap((text: string) => [
    text,
    Buffer.from(text).toString("hex"),
    Buffer.from(text, "base64url").toString("hex"),
  ]);
  const tables = await bench.server.database.query<{ name: string }>(
    "select tablename as name from pg_tables where schemaname = 'daykey'",
  );
  const contents = [JSON.stringify(bench.server.lines)];
  for (const { name } of tables) {
    const rows = await bench.server.database.query(`select t::text as row from daykey.${name} t`);
    contents.push(JSON.stringify(rows));
  }
  for (const path of ["api-keys", "signature-keys"]) {
    contents.push((await bench.admin.get(`/clients/${client.clientId}/${path}`)).text);
  }
  contents.push((await bench.admin.get("/audit?limit=200")).text);
  const content = contents.join("\n");
  expect(content).toContain(id);
  expect(canaries.filter((canary) => content.includes(canary))).toEqual([]);
});

test("a use is recorded by the instance that saw it, at its end at the latest", async () => {
  const client = await bench.server.createClient();
  const key = await bench.make(client, "api-keys", {});
  const symmetric = await bench.make(client, "signature-keys", { algorithm: "hmac-sha256" });
  const unused = await bench.make(client, "api-keys", {});
  const other = await startAuthServer({ database: bench.server.database });
  const form = async (name: string, value: string) => ({
    client_id: bench.owner.clientId,
    client_secret_hash: await bench.server.dayForm(bench.owner),
    [name]: value,
  });
  await other.post("/oauth2/introspect", await form("token", key.api_key));
  await other.post("/signature-keys", await form("key_id", symmetric.id));
  await other.stop();
  const rows = await bench.server.database.query(
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
  const client = await bench.server.createClient();
  const key = await bench.make(client, "api-keys", { days: 1 });
  expect(Date.parse(key.expires_at) / 1000).toBeCloseTo(bench.server.now() + DAY, -1);
});

test("an id that is taken is not used again: another one is made", async () => {
  const client = await bench.server.createClient();
  const { id } = await bench.make(client, "api-keys", {});
  const { log } = createTestLog();
  const database = createDatabase({ connectionString: bench.server.database.appUrl, log });
  const store = createAccessKeysStore(database, {
    issuer: ISSUER,
    newsSeconds: 60,
    sealer: createSealer(await openMasterKey(bench.server.config.masterKey, Buffer.alloc(16))),
  });
  let tries = 0;
  const registrar = createAccessKeyRegistrar({
    accessKeys: {
      ...store,
      add: async (key, record) => store.add(++tries === 1 ? { ...key, id } : key, record),
    },
    registrations: createRegistrationsStore(database, { issuer: ISSUER, newsSeconds: 60 }),
    resources: createResourcesStore(database, ISSUER),
    issuer: ISSUER,
    clock: bench.server.now,
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
  const { id, secret } = await bench.make(await bench.server.createClient(), "signature-keys", {
    algorithm: "hmac-sha256",
  });
  const masterKey = createHash("sha256").update("the next master key").digest("hex");
  const masterKeyPrevious = bench.server.config.masterKey;
  const { database } = bench.server;
  const changing = await startAuthServer({ database, config: { masterKey, masterKeyPrevious } });
  await changing.stop();
  // An instance with the old one alone cannot tell, and says so.
  expect((await bench.signatureKey(bench.owner, id)).status).toBe(503);
  const changed = await startAuthServer({ database, config: { masterKey } });
  const { body } = await changed.postAs(bench.owner, "/signature-keys", { key_id: id });
  await changed.stop();
  expect(body["jwk"]).toEqual({ kty: "oct", k: secret });
});
