/** Every change and its audit row are one transaction (A6), on any instance, whatever fails (L4). */
import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestAdmin, NEW_CLIENT, statusesOf, type TestAdmin } from "../../test/admin.ts";
import { API, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";

let server: TestAuthServer;
let admin: TestAdmin;
let kid: string;
let keyKid: string;
let apiKey: string;
let signatureKey: string;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
  const made = await admin.create({ client_id: "target" });
  kid = made.body.secret.kid;
  const { publicKey } = generateKeyPairSync("ed25519");
  const key = await admin.post("/clients/target/keys", {
    jwk: publicKey.export({ format: "jwk" }),
  });
  keyKid = key.body.kid;
  const accessKey = { name: "x" };
  apiKey = (await admin.post("/clients/target/api-keys", accessKey)).body.id;
  const symmetric = { ...accessKey, algorithm: "hmac-sha256" };
  signatureKey = (await admin.post("/clients/target/signature-keys", symmetric)).body.id;
  await admin.create({ client_id: "off" });
  await admin.post("/clients/off/disable");
  await admin.post("/trust/issuers", {
    ...ISSUER,
    name: "there",
    iss: "https://there.example.test",
  });
  await admin.post("/trust/rules", { ...RULE, name: "there" });
  await admin.post("/resources", { uri: "https://idle.example.test", name: "i", scopes: ["a"] });
});
afterAll(() => server.stop());

const IDLE = `/resources/${encodeURIComponent("https://idle.example.test")}`;
const GRANT = "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000";
const OTHER_KEY = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });

const ISSUER = { iss: "https://ci.example.test", key_source: "discovery" };
const ISSUER_BODY = {
  key_source: "discovery",
  enabled: true,
  keys_uri: null,
  jwks: null,
  algorithms: ["ES256"],
  max_age_seconds: 600,
  audiences: [],
  reusable: false,
};
const RULE = {
  issuer: "there",
  client_id: "target",
  conditions: [{ claim: "sub", one_of: ["a"] }],
};
const RULE_BODY = {
  ...RULE,
  state: "enabled",
  scopes: null,
  resources: null,
  access_token_seconds: null,
  ext: null,
};

const CHANGES: [action: string, method: string, path: () => string, body?: object][] = [
  ["client.create", "POST", () => "/clients", { ...NEW_CLIENT, client_id: "new" }],
  ["client.change", "PATCH", () => "/clients/target", { name: "another" }],
  ["client.disable", "POST", () => "/clients/target/disable"],
  ["client.enable", "POST", () => "/clients/off/enable"],
  ["client.revoke_tokens", "POST", () => "/clients/target/revoke-tokens"],
  [
    "secret.add",
    "POST",
    () => "/clients/target/secrets",
    { kind: "generated", overlap_seconds: 9 },
  ],
  ["secret.revoke", "POST", () => `/clients/target/secrets/${kid}/revoke`],
  ["client_key.add", "POST", () => "/clients/target/keys", { jwk: OTHER_KEY }],
  ["client_key.revoke", "POST", () => `/clients/target/keys/${keyKid}/revoke`],
  ["api_key.create", "POST", () => "/clients/target/api-keys", { name: "y" }],
  ["api_key.rotate", "POST", () => `/clients/target/api-keys/${apiKey}/rotate`],
  ["signature_key.revoke", "POST", () => `/clients/target/signature-keys/${signatureKey}/revoke`],
  [
    "resource.create",
    "POST",
    () => "/resources",
    { uri: "https://new.example.test", name: "n", scopes: ["a"] },
  ],
  ["resource.change", "PUT", () => IDLE, { name: "j", scopes: ["b"], owner_client_id: "target" }],
  ["resource.delete", "DELETE", () => IDLE],
  ["trusted_issuer.create", "POST", () => "/trust/issuers", { ...ISSUER, name: "new" }],
  [
    "trusted_issuer.change",
    "PUT",
    () => "/trust/issuers/there",
    { ...ISSUER_BODY, reusable: true },
  ],
  [
    "trusted_issuer.disable",
    "PUT",
    () => "/trust/issuers/there",
    { ...ISSUER_BODY, enabled: false },
  ],
  ["trust_rule.create", "POST", () => "/trust/rules", { ...RULE, name: "new" }],
  ["trust_rule.change", "PUT", () => "/trust/rules/there", { ...RULE_BODY, scopes: ["time:read"] }],
  ["trust_rule.disable", "PUT", () => "/trust/rules/there", { ...RULE_BODY, state: "disabled" }],
  ["trust_rule.delete", "DELETE", () => "/trust/rules/there"],
  ["trusted_issuer.delete", "DELETE", () => "/trust/issuers/there"],
  ["signing_key.add", "POST", () => "/keys/rotate"],
  ["grant.revoke", "POST", () => "/revocations", { grant: GRANT }],
  ["client.delete", "DELETE", () => "/clients/target"],
];

/** Everything an operator can change, and the log. */
async function everything(): Promise<string> {
  const tables = [
    "clients",
    "secrets",
    "client_keys",
    "access_keys",
    "resources",
    "trusted_issuers",
    "trust_rules",
    "keys",
    "grants",
    "revocations",
    "audit_log",
    "audit_head",
    "change_counter",
  ];
  const dumps = await Promise.all(
    tables.map(async (table) =>
      server.database.query(`select t::text as row from daykey.${table} t order by 1`),
    ),
  );
  return JSON.stringify(dumps);
}

describe("A6: when its audit row cannot be written, nothing is changed:", () => {
  beforeAll(async () => {
    await server.database.query(`
      create function daykey.refuse() returns trigger language plpgsql as
        $$ begin raise exception 'canary'; end $$;
      create trigger refuse before insert on daykey.audit_log
        for each row execute function daykey.refuse()`);
  });
  afterAll(async () => {
    await server.database.query("drop trigger refuse on daykey.audit_log");
  });

  test.each(CHANGES)("%s", async (_action, method, path, body) => {
    const before = await everything();
    // Not through the harness: a 500 is in no document.
    const answer = await fetch(`${server.privateUrl}/admin/v1${path()}`, {
      method,
      headers: {
        authorization: `Bearer ${admin.token}`,
        "if-match": "*",
        ...(body && { "content-type": "application/json" }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain("canary");
    expect(await everything()).toBe(before);
  });
});

test("A6: each change has one audit row, with its actor and target, and the chain holds", async () => {
  for (const [action, method, path, body] of CHANGES) {
    const rows = await admin.audit();
    const answer = await admin.call(method, path(), body, { "if-match": "*" });
    expect(answer.status, `${action}: ${answer.text}`).toBeLessThan(300);
    const [row, ...more] = (await admin.audit()).slice(rows.length);
    expect(row, action).toMatchObject({ actor: admin.client.clientId, action });
    expect(more).toEqual([]);
    const line = server.lines.findLast(({ msg, change }) => msg === "request" && change);
    expect(line).toMatchObject({
      actor: admin.client.clientId,
      change: action,
      target: row.target,
      status: answer.status,
    });
    const { before, after } = row.detail;
    expect(JSON.stringify(before)).not.toBe(JSON.stringify(after));
    const verdict = await admin.get("/audit/verify");
    expect(verdict.body).toEqual({ valid: true, rows: row.seq, head: row.hash });
  }
});

test("L4: a log that takes no line loses no audit row: it goes another way", async () => {
  const rows = await admin.audit();
  const lines = server.lines.length;
  server.lines.push = () => 0;
  await admin.create({ client_id: "unlogged" });
  server.lines.push = Array.prototype.push;
  expect(server.lines.length).toBe(lines);
  expect((await admin.audit()).slice(rows.length)).toMatchObject([{ target: "unlogged" }]);
});

test("the page after the last row is none; a cursor of another list is 400", async () => {
  const all = await admin.audit();
  const seen: number[] = [];
  let cursor = "";
  do {
    const { body } = await admin.get(`/audit?limit=4${cursor}`);
    for (const { seq } of body.items) seen.push(seq);
    cursor = body.next_cursor === null ? "" : `&cursor=${body.next_cursor}`;
  } while (cursor !== "");
  expect(seen).toEqual(all.map(({ seq }) => seq).toReversed());
  const clients = await admin.get("/clients?limit=1");
  const other = await admin.get(`/audit?cursor=${clients.body.next_cursor}`);
  expect([other.status, other.body.type]).toEqual([400, "urn:daykey:problem:invalid-cursor"]);
});

test("an altered row is found over HTTP", async () => {
  await server.database.query("update daykey.audit_log set actor = 'nobody' where seq = 3");
  const { body } = await admin.get("/audit/verify");
  expect(body).toEqual({ valid: false, first_bad_seq: 3, reason: "changed" });
});

describe("two instances over one database", () => {
  let other: TestAuthServer;
  let second: TestAdmin;
  beforeAll(async () => {
    other = await startAuthServer({ database: server.database });
    second = await createTestAdmin(other);
  });
  afterAll(() => other.stop());

  test("A7: a client disabled at one is refused at the other within a second", async () => {
    const { body } = await second.create();
    const secret = body.secret;
    const client = { ...secret, clientId: secret.client_id, root: secret.client_secret };
    const opened = await server.clientCredentials(client);
    expect(opened.status).toBe(200);
    await second.post(`/clients/${client.clientId}/disable`);
    const startedAt = performance.now();
    let status = 200;
    while (status === 200 && performance.now() - startedAt < 1000) {
      status = (await server.clientCredentials(client)).status;
    }
    expect(status).toBe(401);
    expect((await server.refresh(client, opened.body["refresh_token"])).status).toBe(401);
  });

  test("A8: PATCHes with one ETag at both at once: one is 200", async () => {
    const { body, etag } = await second.create();
    const path = `/clients/${body.client.client_id}`;
    const answers = await Promise.all(
      [admin, second, admin, second].map(async (who, i) =>
        who.call("PATCH", path, { name: `name ${i}` }, { "if-match": etag }),
      ),
    );
    expect(statusesOf(answers)).toEqual([200, 412, 412, 412]);
  });
});

describe("the last admin", () => {
  let alone: TestAuthServer;
  let last: TestAdmin;
  beforeAll(async () => {
    alone = await startAuthServer();
    last = await createTestAdmin(alone);
  });
  afterAll(() => alone.stop());

  test("can neither disable nor delete itself, nor give up its scope", async () => {
    const path = `/clients/${last.client.clientId}`;
    const view = await last.get(path);
    for (const [method, part, body] of [
      ["POST", "/disable"],
      ["DELETE", ""],
      ["PATCH", "", { scopes: ["revocations:read"] }],
      ["PATCH", "", { resources: [API], scopes: ["time:read"] }],
    ] as const) {
      const answer = await last.call(method, `${path}${part}`, body, { "if-match": "*" });
      expect([answer.status, answer.body.type]).toEqual([409, "urn:daykey:problem:last-admin"]);
    }
    expect((await last.get(path)).body).toEqual(view.body);
    expect((await last.post(`${path}/revoke-tokens`)).status).toBe(200);
  });

  test("of two admins that end each other at once, one stays", async () => {
    await alone.look();
    const [first, second] = [await createTestAdmin(alone), await createTestAdmin(alone)];
    await first.post(`/clients/${last.client.clientId}/disable`);
    const answers = await Promise.all([
      first.post(`/clients/${second.client.clientId}/disable`),
      second.post(`/clients/${first.client.clientId}/disable`),
    ]);
    const statuses = statusesOf(answers);
    expect(statuses[0]).toBe(200);
    expect([401, 409]).toContain(statuses[1]);
  });
});
