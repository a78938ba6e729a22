/** A6 on a damaged log: what cannot be recorded is not done, what ends access is, and `verify` tells. */
import { afterEach, beforeEach, expect, test } from "vitest";

import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";

interface AuditPage {
  items: { actor: string }[];
  next_cursor: string;
}

let server: TestAuthServer;
let admin: TestAdmin;
let id: string;
beforeEach(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
  id = (await admin.create()).body.client.client_id;
});
afterEach(() => server.stop());

const INSERT = `insert into daykey.audit_log (seq, at, actor, action, target, detail, hash)
  select coalesce(max(seq), 0) + 1, now(), 'x', 'client.change', 'x', '{"before":null,"after":null}',
    '\\x00' from daykey.audit_log`;
const LARGEST = INSERT.replace("coalesce(max(seq), 0) + 1", "max(9223372036854775807)");
const withDetail = (sql: string): string =>
  INSERT.replace(`'{"before":null,"after":null}'`, `(${sql})::jsonb`);

const DAMAGES: [string, string[], string][] = [
  ["a row of another", [INSERT], "changed"],
  ["rows of another, up to the largest number", [INSERT, INSERT, LARGEST], "changed"],
  ["a row without facts", [withDetail("'null'")], "changed"],
  ["a row whose facts are a number", [withDetail("'1'")], "changed"],
  ["a row nested without end", [withDetail("repeat('[', 5000) || repeat(']', 5000)")], "changed"],
  ["a head that is altered", ["update daykey.audit_head set sealed = sealed || '\\x00'"], "head"],
  ["no head", ["delete from daykey.audit_head"], "head"],
];

test.each(DAMAGES)("with %s", async (_what, statements, reason) => {
  const { body } = await admin.post(`/clients/${id}/secrets`, { kind: "generated" });
  for (const statement of statements) await server.database.query(statement);

  const refused = await admin.post("/clients", {
    name: "refused",
    auth_methods: ["client_secret_post"],
    grant_types: ["client_credentials"],
    scopes: ["time:read"],
    resources: ["https://api.example.test"],
  });
  expect([refused.status, refused.body.type]).toEqual([
    503,
    "urn:daykey:problem:audit-log-damaged",
  ]);

  const ended = await admin.post(`/clients/${id}/secrets/${body.kid}/revoke`);
  expect([ended.status, ended.text]).toEqual([204, ""]);
  expect((await admin.post(`/clients/${id}/revoke-tokens`)).status).toBe(200);
  expect((await admin.post(`/clients/${id}/disable`)).status).toBe(200);
  expect((await admin.call("DELETE", `/clients/${id}`)).status).toBe(204);

  expect((await admin.get("/audit/verify")).body).toMatchObject({ valid: false, reason });
  const rows = await server.database.query<{ action: string; damage: string | null }>(
    "select action, detail->>'damage' as damage from daykey.audit_log where actor = $1 order by seq",
    [admin.client.clientId],
  );
  expect(rows.slice(-4).map(({ action }) => action)).toEqual([
    "secret.revoke",
    "client.revoke_tokens",
    "client.disable",
    "client.delete",
  ]);
  expect(rows.at(-4)?.damage).toBe(reason === "head" ? "head" : "unknown");
  expect(server.lines).toContainEqual(
    expect.objectContaining({ event: "audit_log_damaged", outcome: "recorded" }),
  );
  const metrics = await (await fetch(`${server.privateUrl}/metrics`)).text();
  expect(metrics).toMatch(/audit_damage_total\{[^}]*outcome="recorded"[^}]*\} [1-9]/);
});

test("foreign rows that the owner removes leave a log that is whole, with what was recorded past them", async () => {
  await server.database.query(INSERT);
  expect((await admin.post(`/clients/${id}/disable`)).status).toBe(200);
  expect((await admin.get("/audit/verify")).body.valid).toBe(false);
  await server.database.query("delete from daykey.audit_log where actor = 'x'");
  expect((await admin.get("/audit/verify")).body.valid).toBe(true);
  await server.database.query("delete from daykey.audit_log where action = 'client.disable'");
  expect((await admin.get("/audit/verify")).body.valid).toBe(false);
});

test("pages go on past a row of the largest number", async () => {
  await server.database.query(LARGEST);
  const page = async (query: string): Promise<[number, AuditPage]> => {
    const response = await fetch(`${server.privateUrl}/admin/v1/audit?limit=1${query}`, {
      headers: { authorization: `Bearer ${admin.token}` },
    });
    return [response.status, (await response.json()) as AuditPage];
  };
  const [, first] = await page("");
  expect(first.items[0]?.actor).toBe("x");
  const [status, next] = await page(`&cursor=${first.next_cursor}`);
  expect([status, next.items[0]?.actor]).toEqual([200, admin.client.clientId]);
});
