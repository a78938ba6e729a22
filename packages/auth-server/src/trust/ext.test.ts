/** Claims for services (`ext`): where they come from, where they are shown, and what cannot be one. */
import { decodeJwt } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NEW_CLIENT } from "../../test/admin.ts";
import type { Members } from "../../test/assertions.ts";
import {
  addRule,
  change,
  createWorkloadClient,
  enter,
  expectRefused,
  githubToken,
  lastLine,
  startTrustingServer,
  type TrustingServer,
} from "../../test/trust.ts";

let trusting: TrustingServer;
beforeAll(async () => void (trusting = await startTrustingServer()));
afterAll(() => trusting.stop());

const EXT = { tenant: "acme", plan: { level: 3, of: ["a", true, null] }, "https://x.test/é": "ü" };

test("T20: a client's claims stand in its tokens of both forms and in introspection, word for word", async () => {
  const { server, admin } = trusting;
  for (const accessTokenFormat of ["jwt", "opaque"] as const) {
    const client = await server.createClient({ accessTokenFormat, ext: EXT });
    const { body } = await server.clientCredentials(client);
    const token = String(body["access_token"]);
    const told = await server.postAs(client, "/oauth2/introspect", { token });
    expect(told.body).toMatchObject({ active: true, ext: EXT });
    expect(JSON.stringify(told.body["ext"])).toBe(JSON.stringify(EXT));
    const shown = await admin.get(`/clients/${client.clientId}`);
    expect(shown.body.ext).toEqual(EXT);
  }
  const jwt = await server.clientCredentials(await server.createClient({ ext: EXT }));
  expect(decodeJwt(String(jwt.body["access_token"]))["ext"]).toEqual(EXT);
  const plain = await server.clientCredentials(await server.createClient());
  expect(decodeJwt(String(plain.body["access_token"]))).not.toHaveProperty("ext");
});

test("T20: a refresh gives the claims that the client has by then, and each change is recorded", async () => {
  const { server, admin } = trusting;
  const client = await server.createClient({ ext: EXT });
  const first = await server.clientCredentials(client);
  const path = `/clients/${client.clientId}`;
  const { etag } = await admin.get(path);
  const same = await admin.call("PATCH", path, { ext: EXT }, { "if-match": etag });
  expect([same.status, same.etag]).toEqual([200, etag]);
  const next = { tenant: "other" };
  const changed = await admin.call("PATCH", path, { ext: next }, { "if-match": etag });
  expect([changed.status, changed.body.ext]).toEqual([200, next]);
  const { body } = await server.refresh(client, first.body["refresh_token"]);
  expect(decodeJwt(String(body["access_token"]))["ext"]).toEqual(next);
  const entry = (await admin.audit()).at(-1);
  expect(entry).toMatchObject({ action: "client.change", target: client.clientId });
  expect([entry?.detail.before.ext, entry?.detail.after.ext]).toEqual([EXT, next]);
});

/** By JSON text, since no object here could hold some of them. */
const NO_CLAIMS: readonly [what: string, json: string][] = [
  ["a list", "[]"],
  ["text", '"x"'],
  ["a claim of the token's own", '{"sub":"root"}'],
  ["the scope", '{"scope":"daykey:admin"}'],
  ["the binding to a key", '{"cnf":{}}'],
  ["itself", '{"ext":{}}'],
  ["__proto__", '{"__proto__":{"scope":"x"}}'],
  ["__proto__ escaped", '{"\\u005f_proto__":1}'],
  ["__proto__ below", '{"a":[{"__proto__":1}]}'],
  ["constructor below", '{"a":{"constructor":1}}'],
  ["an empty name", '{"":1}'],
  ["a long name", `{"${"x".repeat(129)}":1}`],
  ["five levels", '{"a":{"b":{"c":{"d":{}}}}}'],
  ["five levels of lists", '{"a":[[[[]]]]}'],
  ["a fraction", '{"a":0.5}'],
  ["2^53", '{"a":9007199254740992}'],
  ["an integer that is rounded", '{"a":9007199254740993}'],
  ["an integer of 400 digits", '{"a":1e400}'],
  ["a number next to nothing", '{"a":1e-400}'],
  ["more than 2 KiB", JSON.stringify({ a: "x".repeat(2041) })],
  ["more than 2 KiB in UTF-8", JSON.stringify({ a: "é".repeat(1021) })],
];

const withExt = (body: object, json: string): string =>
  `${JSON.stringify(body).slice(0, -1)},"ext":${json}}`;

test.each(NO_CLAIMS)("T20: %s is 400, on a client and on a rule", async (_what, json) => {
  const { admin } = trusting;
  const rows = (await admin.audit()).length;
  const client = await admin.post("/clients", withExt({ ...NEW_CLIENT, client_id: "never" }, json));
  const conditions = [{ claim: "repository_id", one_of: ["74"] }];
  const about = { issuer: "github", client_id: "deployer", conditions };
  const rule = await admin.post("/trust/rules", withExt({ name: "never", ...about }, json));
  for (const { status, body } of [client, rule]) {
    expect([status, body.type], body.detail).toEqual([400, "urn:daykey:problem:invalid-body"]);
    expect(body.detail).toMatch(/^ext: must /);
  }
  expect((await admin.audit()).length).toBe(rows);
});

test.each([
  ["NUL", '{"a":"\\u0000"}'],
  ["half a surrogate pair", '{"a":"\\ud83d"}'],
  ["the other half, in a name", '{"\\ude00":1}'],
  ["a name twice", '{"a":1,"a":2}'],
  ["a tower", `{"a":${"[".repeat(5000)}${"]".repeat(5000)}}`],
])("T20: %s is no JSON that is read here", async (_what, json) => {
  const { status } = await trusting.admin.post("/clients", withExt(NEW_CLIENT, json));
  expect(status).toBe(400);
});

test("T20: a whole surrogate pair and 2 KiB to the byte arrive as they are", async () => {
  const { server, admin } = trusting;
  const ext = { a: `😀${"x".repeat(2048 - '{"a":"😀"}'.length - 2)}` };
  expect(Buffer.byteLength(JSON.stringify(ext))).toBe(2048);
  const { body } = await admin.create({ ext });
  expect(body.client.ext).toEqual(ext);
  const client = await server.createClient({ ext });
  const issued = await server.clientCredentials(client);
  expect(decodeJwt(String(issued.body["access_token"]))["ext"]).toEqual(ext);
});

/** A rule of its own for each test: the repository's id tells them apart. */
async function ruleWith(id: string, ext: object | null): Promise<string> {
  const name = `ext-${id}`;
  const conditions = [{ claim: "repository_id", one_of: [id] }];
  await addRule(trusting.admin, name, { issuer: "github", client_id: "carrier", conditions, ext });
  return name;
}

beforeAll(async () => {
  await createWorkloadClient(trusting.server, "carrier", { ext: { tenant: "of the client" } });
});

async function tokenOf(claims: Members): Promise<Record<string, unknown>> {
  const { server, github } = trusting;
  const { status, body, text } = await enter(server, githubToken(github, server.now(), { claims }));
  expect(status, text).toBe(200);
  return decodeJwt(String(body["access_token"]));
}

test("X20: a rule's claims are filled from the assertion, and take the place of its client's", async () => {
  const { server, admin, github } = trusting;
  const name = await ruleWith("1001", {
    repository: "${repository}",
    branch: "at ${ref} of ${/nested.path/a~1b}",
    owners: ["${repository_owner}", { id: "${repository_owner_id}" }],
    groups: "${groups}",
    run: "${run_number}",
    big: "${big}",
    isPrivate: "${private}",
    twice: "${ref}${ref}",
    fixed: { level: 3, none: null },
    same: "$ { } ${ref}}",
  });
  const claims = {
    repository_id: "1001",
    "nested.path": { "a/b": "${sub}" },
    groups: ["a", 7, true],
    run_number: 12,
    big: JSON.rawJSON("123456789012345678901234567890"),
    private: false,
  };
  const ext = {
    repository: "octo-org/octo-repo",
    // What a claim says is text, whatever it looks like.
    branch: "at refs/heads/main of ${sub}",
    owners: ["octo-org", { id: "65" }],
    groups: ["a", "7", "true"],
    run: "12",
    big: "123456789012345678901234567890",
    isPrivate: "false",
    twice: "refs/heads/mainrefs/heads/main",
    fixed: { level: 3, none: null },
    same: "$ { } refs/heads/main}",
  };
  const token = githubToken(github, server.now(), { claims });
  const explained = await admin.post("/trust/explain", { token });
  expect(explained.body.result).toMatchObject({ rule: name, ext });
  const { body } = await enter(server, token);
  const given = decodeJwt(String(body["access_token"]));
  expect(given).toMatchObject({ client_id: "carrier", workload: { iss: expect.any(String) } });
  expect(given["ext"]).toEqual(ext);

  await change(admin, `/trust/rules/${name}`, { ext: null });
  expect((await tokenOf(claims))["ext"]).toEqual({ tenant: "of the client" });
  await change(admin, `/trust/rules/${name}`, { ext: {} });
  expect(await tokenOf(claims)).not.toHaveProperty("ext");
});

test.each<[string, Members]>([
  ["is absent", {}],
  ["is null", { wanted: null }],
  ["is an object", { wanted: { a: 1 } }],
  ["is a fraction", { wanted: 0.5 }],
  ["is a list with an object", { wanted: ["a", {}] }],
  ["is too long", { wanted: "x".repeat(2049) }],
])("X20: a rule whose claim %s lets nobody in, and the log says which", async (_what, more) => {
  const { server, admin, github } = trusting;
  const id = `11${JSON.stringify(more).length}`;
  await ruleWith(id, { a: "${wanted}", b: "${repository}" });
  const token = githubToken(github, server.now(), { claims: { repository_id: id, ...more } });
  const explained = await admin.post("/trust/explain", { token });
  expect([explained.body.refused, explained.body.result]).toEqual(["ext_claim_missing", null]);
  await expectRefused(server, token, "client_assertion");
  expect(lastLine(server)).toMatchObject({ reason: "ext_claim_missing", extClaim: "wanted" });
  await admin.call("DELETE", `/trust/rules/ext-${id}`);
});

test("X20: a list has no place within a text, and no claim makes more than 2 KiB", async () => {
  const { server, github } = trusting;
  await ruleWith("1201", { a: "of ${groups}" });
  const listed = { repository_id: "1201", groups: ["a"] };
  await expectRefused(server, githubToken(github, server.now(), { claims: listed }), "grant");
  expect(lastLine(server)).toMatchObject({ reason: "ext_claim_missing", extClaim: "groups" });
  await ruleWith("1202", { a: "${text}", b: "${text}" });
  const long = { repository_id: "1202", text: "x".repeat(1100) };
  await expectRefused(server, githubToken(github, server.now(), { claims: long }), "grant");
  expect(lastLine(server)).toMatchObject({ reason: "ext_too_long" });
});

test.each([
  "${",
  "${}",
  "${a",
  "a ${b.c}",
  "${a}${",
  "${/a//b}",
  "${a${b}}",
  "${ a}",
  "${__proto__.x}",
])("X20: %j is no template", async (text) => {
  const conditions = [{ claim: "repository_id", one_of: ["74"] }];
  const about = { issuer: "github", client_id: "carrier", conditions };
  const rule = { name: "never", ...about, ext: { a: [{ b: text }] } };
  const { status, body } = await trusting.admin.post("/trust/rules", rule);
  expect([status, body.type]).toEqual([400, "urn:daykey:problem:invalid-trust-rule"]);
  expect(body.detail).toMatch(/^ext must have the name of a claim/);
});

test("T20: a token too long for a header is not issued, and the answer says why", async () => {
  const { server, admin, github } = trusting;
  const resource = "https://big.example.test";
  const scopes = Array.from({ length: 9 }, (_, index) => `${index}${"x".repeat(99)}`);
  await admin.post("/resources", { uri: resource, name: "big", scopes });
  await createWorkloadClient(server, "big", { resources: [resource], scopes });
  const conditions = [{ claim: "repository_id", one_of: ["1301"] }];
  const about = { issuer: "github", client_id: "big", conditions };
  await addRule(admin, "big", { ...about, ext: { a: "x".repeat(2040) } });
  const claims = { repository_id: "1301", sub: "\u6f22".repeat(1024) };
  const ask = async (form = {}) =>
    enter(server, githubToken(github, server.now(), { claims }), { door: "grant", ...form });
  const { status, body } = await ask();
  expect([status, body["error"]]).toEqual([400, "invalid_scope"]);
  expect(body["error_description"]).toMatch(/^The access token would be too long/);
  expect(lastLine(server)).toMatchObject({ reason: "token_too_long" });
  const less = await ask({ scope: scopes[0] ?? "" });
  expect(less.status).toBe(200);
  expect(String(less.body["access_token"]).length).toBeLessThanOrEqual(8192);
});
