/** Secrets through the admin API: rotation, revocation, and what of a secret is kept (C7, C13). */
import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatDate } from "@daykey/common/clock";
import { dayFormHash, dayKey, formatSecret, secretBody } from "@daykey/common/secret-hash";
import {
  type AdminAnswer,
  createTestAdmin,
  NEW_CLIENT,
  statusesOf,
  type TestAdmin,
} from "../../test/admin.ts";
import { startAuthServer, type TestAuthServer, type TestClient } from "../../test/auth-server.ts";
import type { Json } from "../../test/openapi.ts";
import { hashPrimitives } from "../clients/verifiers.ts";

let server: TestAuthServer;
let admin: TestAdmin;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
});
afterAll(() => server.stop());

const DAY = 86_400;

/** The holder of a secret that was answered, or made by the client itself. */
function holderOf(secret: Json, own: Partial<TestClient> = {}): TestClient {
  return {
    clientId: secret.client_id,
    kid: secret.kid,
    salt: secret.salt,
    clientSecret: secret.client_secret,
    expiresAt: 0,
    root: secret.client_secret,
    ...own,
  };
}

async function canLogIn(client: TestClient): Promise<boolean> {
  await server.look();
  const { status } = await server.clientCredentials(client);
  return status === 200;
}

async function secretsOf(id: string): Promise<Json[]> {
  return (await admin.get(`/clients/${id}/secrets`)).body.items;
}

/** What a client computes at home: the secret itself never leaves. */
async function ownSecret(days: number, firstDay = formatDate(server.now())): Promise<Json> {
  const kid = randomBytes(4).toString("hex");
  const salt = randomBytes(16).toString("hex");
  const secret = await formatSecret(hashPrimitives, secretBody(kid, randomBytes(32)));
  const start = Date.parse(firstDay) / 1000;
  const verifiers = await Promise.all(
    Array.from({ length: days }, async (_, i) => {
      const key = await dayKey(hashPrimitives, secret, salt, formatDate(start + i * DAY));
      return createHash("sha256").update(key).digest("hex");
    }),
  );
  return { secret, body: { kind: "verifiers", kid, salt, first_day: firstDay, verifiers } };
}

test("C13: rotation: a second secret beside the first, a third 409, the first's end as asked", async () => {
  const made = await admin.create();
  const id = made.body.client.client_id;
  const path = `/clients/${id}/secrets`;
  const second = await admin.post(path, { kind: "generated", days: 30, overlap_seconds: 3600 });
  expect(second.status, second.text).toBe(201);
  expect(second.body).toEqual({
    client_id: id,
    kid: expect.not.stringMatching(made.body.secret.kid),
    salt: expect.stringMatching(/^[0-9a-f]{32}$/),
    client_secret: expect.stringMatching(/^dks_/),
    expires_at: expect.stringMatching(/Z$/),
  });
  const items = await secretsOf(id);
  expect(items.map(({ kid, live }) => [kid, live])).toEqual([
    [second.body.kid, true],
    [made.body.secret.kid, true],
  ]);
  expect(Date.parse(items[1].expires_at) / 1000).toBeCloseTo(server.now() + 3600, -1);
  expect(items[0].expires_at).toBe(second.body.expires_at);
  expect(await canLogIn(holderOf(made.body.secret))).toBe(true);
  expect(await canLogIn(holderOf(second.body))).toBe(true);
  const third = await admin.post(path, { kind: "generated", overlap_seconds: 0 });
  expect([third.status, third.body.type]).toEqual([409, "urn:daykey:problem:two-live-secrets"]);
  expect((await secretsOf(id)).length).toBe(2);
});

test("an overlap never lengthens a life; 0 ends the other secret now, not its grants", async () => {
  const made = await admin.create({ secret: { kind: "generated", days: 1 } });
  const id = made.body.client.client_id;
  const holder = holderOf(made.body.secret);
  await server.look();
  const opened = await server.clientCredentials(holder);
  await admin.post(`/clients/${id}/secrets`, { kind: "generated", overlap_seconds: 400 * DAY });
  const [second, first] = await secretsOf(id);
  expect(first.expires_at).toBe(made.body.secret.expires_at);
  await admin.post(`/clients/${id}/secrets/${second.kid}/revoke`);
  const third = await admin.post(`/clients/${id}/secrets`, {
    kind: "generated",
    overlap_seconds: 0,
  });
  expect(await canLogIn(holder)).toBe(false);
  const refreshed = await server.refresh(holderOf(third.body), opened.body["refresh_token"]);
  expect(refreshed.status, refreshed.text).toBe(200);
  const [row] = (await admin.audit()).filter(({ target }) => target === `${id} ${third.body.kid}`);
  expect(row.detail).toEqual({
    before: { other: { kid: first.kid, expires_at: first.expires_at } },
    after: {
      kid: third.body.kid,
      kind: "generated",
      expires_at: third.body.expires_at,
      other: { kid: first.kid, expires_at: expect.any(String) },
    },
  });
});

test("C13: ten secrets asked for at once make one more", async () => {
  const { body } = await admin.create();
  const path = `/clients/${body.client.client_id}/secrets`;
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => admin.post(path, { kind: "generated" })),
  );
  expect(statusesOf(answers)).toEqual([201, ...Array.from({ length: 9 }, () => 409)]);
});

test("R9: a revoked secret is refused at once, with the grants it opened; its verifiers go", async () => {
  const made = await admin.create();
  const id = made.body.client.client_id;
  const second = await admin.post(`/clients/${id}/secrets`, { kind: "generated" });
  const [first, other] = [holderOf(made.body.secret), holderOf(second.body)];
  await server.look();
  const opened = await server.clientCredentials(first);
  const kept = await server.clientCredentials(other);
  const path = `/clients/${id}/secrets/${first.kid}/revoke`;
  expect((await admin.post(path)).status).toBe(204);
  expect(await canLogIn(first)).toBe(false);
  expect((await server.refresh(other, opened.body["refresh_token"])).status).toBe(400);
  expect((await server.refresh(other, kept.body["refresh_token"])).status).toBe(200);
  expect(
    await server.database.query(
      `select octet_length(s.verifiers) as bytes, r.expires_at > now() + interval '1 hour' as is_long
       from daykey.secrets s join daykey.revocations r on r.kind = 'credential'
         and r.subject = s.client_id || ' ' || s.kid
       where s.client_id = $1`,
      [id],
    ),
  ).toEqual([{ bytes: 0, is_long: true }]);
  const rows = (await admin.audit()).length;
  expect((await admin.post(path)).status).toBe(204);
  expect((await admin.audit()).length).toBe(rows);
  expect((await admin.post(`/clients/${id}/secrets/zzzzzzzz/revoke`)).status).toBe(404);
});

test("a chosen secret logs in, and is not told back", async () => {
  const secret = "correct horse battery staple";
  const made = await admin.create({ secret: { kind: "chosen", secret, days: 7 } });
  expect(made.text).not.toContain(secret);
  expect(made.body.secret.client_secret).toBeUndefined();
  for (const bad of ["too short", "x".repeat(129), "\u0065\u0301 not in NFC, long enough"]) {
    const answer = await admin.post(`/clients/${made.body.client.client_id}/secrets`, {
      kind: "chosen",
      secret: bad,
    });
    expect([answer.status, answer.body.type]).toEqual([400, "urn:daykey:problem:invalid-secret"]);
  }
});

describe("a chosen secret works by the hash forms alone, so without them it is refused", () => {
  const CHOSEN = { kind: "chosen", secret: "correct horse battery staple" };
  const BY_DAY = ["client_secret_hash_day"];
  const change = async (id: string, auth_methods: string[]): Promise<AdminAnswer> =>
    admin.call("PATCH", `/clients/${id}`, { auth_methods }, { "if-match": "*" });

  test.each([
    [["client_secret_basic"]],
    [["client_secret_post"]],
    [["client_secret_basic", "client_secret_post"]],
    [["private_key_jwt"]],
  ])("at a client with %j", async (auth_methods) => {
    const wanted = { ...NEW_CLIENT, auth_methods, secret: CHOSEN };
    const refused = await admin.post("/clients", wanted);
    expect([refused.status, refused.body.type]).toEqual([
      400,
      "urn:daykey:problem:invalid-registration",
    ]);
    expect(refused.body.detail).toMatch(/^auth_methods: a chosen secret works by .* Add one/);

    const made = await admin.create({ auth_methods, secret: { kind: "generated" } });
    const id: string = made.body.client.client_id;
    const added = await admin.post(`/clients/${id}/secrets`, CHOSEN);
    expect([added.status, added.body.type]).toEqual([400, "urn:daykey:problem:invalid-secret"]);
    expect(added.body.detail).toMatch(/^kind: a chosen secret works by .* Add one/);

    expect((await change(id, [...auth_methods, ...BY_DAY])).status).toBe(200);
    const chosen = await admin.post(`/clients/${id}/secrets`, CHOSEN);
    expect(chosen.status).toBe(201);
    const lost = await change(id, auth_methods);
    expect([lost.status, lost.body.type]).toEqual([400, "urn:daykey:problem:invalid-registration"]);
    expect(lost.body.detail).toContain(`the chosen secret ${chosen.body.kid} of the client`);
    expect(lost.body.detail).toMatch(/^auth_methods: .* revoke the secret first\.$/);
    expect((await change(id, BY_DAY)).status).toBe(200);
    expect((await change(id, ["client_secret_hash_once"])).status).toBe(200);
    await admin.post(`/clients/${id}/secrets/${chosen.body.kid}/revoke`);
    expect((await change(id, auth_methods)).status).toBe(200);
  });
});

describe("verifiers that the client computed", () => {
  test.each([1, 2, 400])("of %i days log in: the secret never left its machine", async (days) => {
    // Near midnight a single day's secret has ended.
    const extra = days === 1 ? 1 : 0;
    const { secret, body } = await ownSecret(days + extra);
    const made = await admin.create({ secret: body });
    expect(made.body.secret).toEqual({
      client_id: made.body.client.client_id,
      kid: body.kid,
      salt: body.salt,
      expires_at: expect.stringMatching(/T23:55:00Z$/),
    });
    expect(await canLogIn(holderOf(made.body.secret, { root: secret }))).toBe(true);
    const [listed] = await secretsOf(made.body.client.client_id);
    expect([listed.kind, listed.expires_at]).toEqual(["verifiers", made.body.secret.expires_at]);
  });

  test("of a kid that the client had are 409", async () => {
    const { body } = await ownSecret(5);
    const made = await admin.create({ secret: body });
    const path = `/clients/${made.body.client.client_id}/secrets`;
    const again = await admin.post(path, (await ownSecret(5)).body);
    expect(again.status).toBe(201);
    await admin.post(`${path}/${body.kid}/revoke`);
    const reused = await admin.post(path, { ...body, salt: "00".repeat(16) });
    expect([reused.status, reused.body.type]).toEqual([409, "urn:daykey:problem:kid-exists"]);
  });

  test.each<[string, (body: Json) => object]>([
    ["a kid in capitals", () => ({ kid: "ABCDEFGH" })],
    ["a short kid", () => ({ kid: "abcdefg" })],
    ["a salt of 31 hex", () => ({ salt: "0".repeat(31) })],
    ["a day that is none", () => ({ first_day: "2026-02-30" })],
    ["a day next year", () => ({ first_day: "2999-01-01" })],
    ["a day long ago", () => ({ first_day: "2020-01-01" })],
    ["no verifier", () => ({ verifiers: [] })],
    ["403 verifiers", () => ({ verifiers: Array.from({ length: 403 }, hex64) })],
    ["402 verifiers from today", () => ({ verifiers: Array.from({ length: 402 }, hex64) })],
    ["a verifier twice", ({ verifiers }) => ({ verifiers: [verifiers[0], verifiers[0]] })],
    ["capitals", ({ verifiers }) => ({ verifiers: [verifiers[0].toUpperCase()] })],
    ["63 hex", ({ verifiers }) => ({ verifiers: [verifiers[0].slice(1)] })],
    ["no hex", () => ({ verifiers: ["g".repeat(64)] })],
    ["a number", () => ({ verifiers: [1] })],
    ["the secret beside them", () => ({ secret: "dks_x" })],
    ["a life beside them", () => ({ days: 3 })],
  ])("with %s are 400", async (_name, change) => {
    const { body } = await ownSecret(3);
    const answer = await admin.post(`/clients/${admin.client.clientId}/secrets`, {
      ...body,
      ...change(body),
    });
    expect(answer.status, answer.text).toBe(400);
  });
});

function hex64(): string {
  return randomBytes(32).toString("hex");
}

test("C7: neither the database nor any GET holds a secret, root or day key; the audit log no verifier", async () => {
  const chosen = "a chosen canary of the operator";
  const own = await ownSecret(3);
  const first = await admin.create();
  const id = first.body.client.client_id;
  await admin.post(`/clients/${id}/secrets`, { kind: "chosen", secret: chosen });
  await admin.post(`/clients/${id}/secrets/${first.body.secret.kid}/revoke`);
  await admin.post(`/clients/${id}/secrets`, own.body);
  const generated: string = first.body.secret.client_secret;
  const hash = await dayFormHash(
    hashPrimitives,
    { root: generated, salt: first.body.secret.salt },
    server.now(),
  );
  const canaries = [generated, generated.split("_")[2] ?? "", chosen, own.secret, hash];

  const tables = await server.database.query<{ name: string }>(
    "select tablename as name from pg_tables where schemaname = 'daykey'",
  );
  const dumps: Record<string, string> = {};
  for (const { name } of tables) {
    dumps[name] = JSON.stringify(
      await server.database.query(`select t::text as row from daykey.${name} t`),
    );
  }
  for (const path of ["/clients", `/clients/${id}`, `/clients/${id}/secrets`, "/audit?limit=200"]) {
    dumps[path] = (await admin.get(path)).text;
  }
  for (const [name, dump] of Object.entries(dumps)) {
    for (const canary of canaries) {
      expect(dump.includes(canary), `${canary} in ${name}`).toBe(false);
      const asBytes = Buffer.from(canary).toString("hex");
      expect(dump.includes(asBytes), `${canary} in ${name}`).toBe(false);
    }
    if (name === "secrets") continue;
    expect(dump.includes(own.body.verifiers[0]), `a verifier in ${name}`).toBe(false);
  }
  expect(dumps["audit_log"]).toContain(id);
});
