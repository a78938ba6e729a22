/** Rules and issuers that end, and what ends with them; what an operator changes, and its audit row. */
import { decodeJwt } from "jose";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import { createKey, type TestKey } from "../../test/assertions.ts";
import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import {
  addRule,
  change,
  createWorkloadClient,
  enter,
  GITHUB,
  githubToken,
  trustIssuer,
} from "../../test/trust.ts";

let server: TestAuthServer;
let admin: TestAdmin;
let key: TestKey;
let other: TestKey;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
  key = createKey("gh-1");
  other = createKey("gh-2");
  await createWorkloadClient(server, "deployer");
});
afterAll(() => server.stop());

const ISSUER_PATH = "/trust/issuers/github";
const RULE_PATH = "/trust/rules/deploy";
const CONDITIONS = [{ claim: "repository_id", one_of: ["74"] }];

beforeEach(async () => {
  await admin.call("DELETE", ISSUER_PATH);
  await trustIssuer(admin, "github", { iss: GITHUB, keys: [key], algorithms: ["ES256"] });
  await addRule(admin, "deploy", {
    issuer: "github",
    client_id: "deployer",
    conditions: CONDITIONS,
    scopes: ["time:read"],
  });
});

async function issue(): Promise<string> {
  const { body, text } = await enter(server, githubToken(key, server.now()));
  expect(body["access_token"], text).toEqual(expect.any(String));
  return String(body["access_token"]);
}

/** As its client would be told. */
async function isActive(token: string): Promise<boolean> {
  const asker = await server.createClient();
  await server.database.query("update daykey.resources set owner_client_id = $1 where uri = $2", [
    asker.clientId,
    String(decodeJwt(token)["aud"]),
  ]);
  await server.look();
  const { body } = await server.postAs(asker, "/oauth2/introspect", { token });
  return body["active"] === true;
}

async function isTold(token: string): Promise<boolean> {
  const { client_id: clientId, cred } = decodeJwt(token);
  const { body } = await admin.get("/revocations");
  const subject = `${String(clientId)} ${String(cred)}`;
  return body.items.some((item: { subject: string }) => item.subject === subject);
}

const ENDS: [what: string, end: () => Promise<{ status: number }>][] = [
  ["the rule is deleted", async () => admin.call("DELETE", RULE_PATH)],
  ["the rule is disabled", async () => change(admin, RULE_PATH, { state: "disabled" })],
  ["the rule becomes a dry run", async () => change(admin, RULE_PATH, { state: "dry_run" })],
  [
    "the rule wants another value",
    async () =>
      change(admin, RULE_PATH, { conditions: [{ claim: "repository_id", one_of: ["75"] }] }),
  ],
  [
    "the rule wants more",
    async () =>
      change(admin, RULE_PATH, {
        conditions: [...CONDITIONS, { claim: "environment", one_of: ["prod"] }],
      }),
  ],
  [
    "the rule carries other claims",
    async () => change(admin, RULE_PATH, { ext: { repository: "${repository}" } }),
  ],
  ["the rule gives less", async () => change(admin, RULE_PATH, { access_token_seconds: 60 })],
  ["the issuer is deleted", async () => admin.call("DELETE", ISSUER_PATH)],
  ["the issuer is disabled", async () => change(admin, ISSUER_PATH, { enabled: false })],
  [
    "the issuer's key goes",
    async () => change(admin, ISSUER_PATH, { jwks: { keys: [other.publicJwk] } }),
  ],
  [
    "the issuer has other audiences",
    async () => change(admin, ISSUER_PATH, { audiences: ["https://elsewhere.example.test"] }),
  ],
  [
    "the issuer's tokens age sooner",
    async () => change(admin, ISSUER_PATH, { max_age_seconds: 60 }),
  ],
];

test.each(ENDS)("X6: tokens end when %s, and the feed says so", async (_what, end) => {
  const token = await issue();
  expect(await isActive(token)).toBe(true);
  expect((await end()).status).toBeLessThan(300);
  expect(await isTold(token)).toBe(true);
  expect(await isActive(token)).toBe(false);
});

test.each<[string, () => Promise<{ status: number }>]>([
  [
    "the rule takes one more value",
    async () =>
      change(admin, RULE_PATH, { conditions: [{ claim: "repository_id", one_of: ["75", "74"] }] }),
  ],
  ["the rule gives all scopes", async () => change(admin, RULE_PATH, { scopes: null })],
  [
    "the issuer has one more key",
    async () => change(admin, ISSUER_PATH, { jwks: { keys: [other.publicJwk, key.publicJwk] } }),
  ],
  [
    "the issuer's tokens may be older",
    async () => change(admin, ISSUER_PATH, { max_age_seconds: 7200 }),
  ],
])("X6: tokens live on when %s", async (_what, widen) => {
  const token = await issue();
  expect((await widen()).status).toBe(200);
  expect(await isTold(token)).toBe(false);
  expect(await isActive(token)).toBe(true);
});

test("X6: what ends at one server ends at another, which hears of it by itself", async () => {
  const second = await startAuthServer({ database: server.database });
  try {
    const asker = await server.createClient();
    await server.database.query("update daykey.resources set owner_client_id = $1", [
      asker.clientId,
    ]);
    await second.look();
    const { body } = await enter(second, githubToken(key, second.now()));
    const token = String(body["access_token"]);
    const isActiveThere = async (): Promise<unknown> =>
      (await second.postAs(asker, "/oauth2/introspect", { token })).body["active"];
    const patience = { timeout: 20_000 };
    await expect.poll(isActiveThere, patience).toBe(true);
    expect((await admin.call("DELETE", RULE_PATH)).status).toBe(204);
    await expect.poll(isActiveThere, patience).toBe(false);
    // The rules are read anew beside the revocations, by the same look.
    const enterThere = async () => (await enter(second, githubToken(key, second.now()))).status;
    await expect.poll(enterThere, patience).toBe(401);
  } finally {
    await second.stop();
  }
});

test("X6: a rule that is enabled again lets in again, and what was ended stays ended", async () => {
  const before = await issue();
  await change(admin, RULE_PATH, { state: "disabled" });
  expect((await enter(server, githubToken(key, server.now()))).status).toBe(401);
  await change(admin, RULE_PATH, { state: "enabled" });
  const after = await issue();
  expect([await isActive(before), await isActive(after)]).toEqual([false, true]);
  expect(decodeJwt(after)["cred"]).not.toBe(decodeJwt(before)["cred"]);
});

test("X6: so does an issuer that is trusted again", async () => {
  const before = await issue();
  await change(admin, ISSUER_PATH, { enabled: false });
  await change(admin, ISSUER_PATH, { enabled: true });
  const after = await issue();
  expect([await isActive(before), await isActive(after)]).toEqual([false, true]);
});

test("X6: a rule of the same name made anew revives nothing", async () => {
  const before = await issue();
  await admin.call("DELETE", RULE_PATH);
  await addRule(admin, "deploy", {
    issuer: "github",
    client_id: "deployer",
    conditions: CONDITIONS,
  });
  await issue();
  expect(await isActive(before)).toBe(false);
});

test("A4, A8: a GET's body put back changes nothing, and an old ETag is 412", async () => {
  for (const path of [ISSUER_PATH, RULE_PATH]) {
    const { body, etag } = await admin.get(path);
    const rows = (await admin.audit()).length;
    const same = await admin.call("PUT", path, body, { "if-match": etag });
    expect([same.status, same.body, same.etag]).toEqual([200, body, etag]);
    expect((await admin.audit()).length).toBe(rows);
    const old = await admin.call("PUT", path, body, { "if-match": '"0"' });
    expect(old.status).toBe(412);
    expect((await admin.call("PUT", path, body)).status).toBe(428);
  }
});

test("without a trusted issuer the grant type and jwt-spiffe neither exist nor are announced", async () => {
  const metadata = async () => {
    const answer = await fetch(`${server.url}/.well-known/oauth-authorization-server`);
    return (await answer.json()) as Record<string, string[]>;
  };
  const grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
  expect((await metadata())["grant_types_supported"]).toContain(grant);
  await change(admin, ISSUER_PATH, { enabled: false });
  const off = await metadata();
  expect(off["grant_types_supported"]).not.toContain(grant);
  expect(off["token_endpoint_auth_methods_supported"]).not.toContain("spiffe_jwt");
  const refused = await enter(server, githubToken(key, server.now()), { door: "grant" });
  expect(refused.body["error"]).toBe("unsupported_grant_type");

  await trustIssuer(admin, "domain", { iss: "spiffe://only.example.test", keys: [key] });
  const spiffe = await metadata();
  expect(spiffe["token_endpoint_auth_methods_supported"]).toContain("spiffe_jwt");
  expect(spiffe["introspection_endpoint_auth_methods_supported"]).not.toContain("spiffe_jwt");
  expect(spiffe["grant_types_supported"]).not.toContain(grant);
  await admin.call("DELETE", "/trust/issuers/domain");
});
