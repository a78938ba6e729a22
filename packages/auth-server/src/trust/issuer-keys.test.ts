/** Where the keys of trusted issuers come from: discovery, a bundle, and what of it is taken. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import { createKey, type TestKey } from "../../test/assertions.ts";
import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import { type KeyServer, startKeyServer } from "../../test/key-server.ts";
import {
  addRule,
  createWorkloadClient,
  enter,
  githubToken,
  lastReason,
  SPIFFE,
  svid,
} from "../../test/trust.ts";

let server: TestAuthServer;
let admin: TestAdmin;
let keyServer: KeyServer;
let origin: string;
let key: TestKey;
let other: TestKey;
beforeAll(async () => {
  keyServer = await startKeyServer();
  ({ origin } = new URL(keyServer.uri));
  server = await startAuthServer({ config: { allowPrivateJwksUri: true } });
  admin = await createTestAdmin(server);
  [key, other] = [createKey("k-1"), createKey("k-2")];
  await createWorkloadClient(server, "deployer");
});
afterAll(async () => {
  await server.stop();
  await keyServer.stop();
});

let name = 0;
let documents: Record<string, unknown>;
beforeEach(() => {
  documents = {};
  keyServer.asked.length = 0;
  keyServer.answer((request, response) => {
    const document = documents[request.url ?? ""];
    response.statusCode = document === undefined ? 404 : 200;
    response.end(JSON.stringify(document ?? {}));
  });
});

/** A new issuer with a rule that lets all of these tests' tokens in. */
async function trust(iss: string, source: object): Promise<void> {
  const issuer = `i-${++name}`;
  const made = await admin.post("/trust/issuers", { name: issuer, iss, ...source });
  expect(made.status, made.text).toBe(201);
  const claim =
    iss === SPIFFE
      ? { claim: "sub", glob: "spiffe:**" }
      : { claim: "repository_id", one_of: ["74"] };
  await addRule(admin, `r-${name}`, { issuer, client_id: "deployer", conditions: [claim] });
}

const token = (iss: string, by = key) => githubToken(by, server.now(), { claims: { iss } });

test.each([
  ["OpenID Connect", "/oidc", "/oidc/.well-known/openid-configuration"],
  ["RFC 8414", "/8414", "/.well-known/oauth-authorization-server/8414"],
])("keys are found by %s discovery, and kept", async (_kind, path, place) => {
  const iss = `${origin}${path}`;
  documents[place] = { issuer: iss, jwks_uri: `${origin}/set` };
  documents["/set"] = { keys: [key.publicJwk] };
  await trust(iss, { key_source: "discovery" });
  expect((await enter(server, token(iss))).status).toBe(200);
  const asked = keyServer.asked.length;
  expect((await enter(server, token(iss))).status).toBe(200);
  expect(keyServer.asked.length).toBe(asked);
});

test.each([
  ["another issuer", { issuer: "https://other.example.test" }],
  ["an issuer with a slash more", { issuer: undefined, slash: true }],
  ["no jwks_uri", { jwks_uri: undefined }],
  ["a private address by https alone", { jwks_uri: "http://10.0.0.1/keys" }],
])(
  "X2: metadata with %s leads to no key",
  async (_what, { slash, ...wrong }: Record<string, unknown>) => {
    const iss = `${origin}/bad-${++name}`;
    const path = new URL(iss).pathname;
    documents["/set"] = { keys: [key.publicJwk] };
    documents[`${path}/.well-known/openid-configuration`] = {
      issuer: iss,
      jwks_uri: `${origin}/set`,
      ...wrong,
      ...(slash === true && { issuer: `${iss}/` }),
    };
    await trust(iss, { key_source: "discovery" });
    const answer = await enter(server, token(iss));
    expect([answer.status, lastReason(server)]).toEqual([503, "issuer_keys_unavailable"]);
  },
);

test("a SPIFFE bundle: its jwt-svid keys alone, for as long as it says, and no older one after it", async () => {
  const jwk = ({ publicJwk }: TestKey, use = "jwt-svid") => {
    const { alg: _alg, ...rest } = publicJwk;
    return { ...rest, use };
  };
  const bundle = (sequence: number, ...keys: object[]) =>
    void (documents["/bundle"] = { spiffe_sequence: sequence, spiffe_refresh_hint: 60, keys });
  bundle(7, jwk(key), jwk(other, "x509-svid"));
  await trust(SPIFFE, { key_source: "spiffe", keys_uri: `${origin}/bundle` });
  const show = async (by: TestKey) => enter(server, svid(by, server.now()), { door: "jwt_spiffe" });
  expect((await show(key)).status).toBe(200);
  expect([(await show(other)).status, lastReason(server)]).toEqual([401, "unknown_key"]);

  server.advance(61);
  bundle(6, jwk(other));
  expect((await show(key)).status).toBe(200);
  server.advance(61);
  bundle(8, jwk(other));
  expect((await show(other)).status).toBe(200);
  expect((await show(key)).status).toBe(401);
});

test.each([
  ["our own issuer", { iss: "https://auth.example.test", key_source: "discovery" }],
  ["a client's id", { iss: "billing", key_source: "discovery" }],
  ["no URL", { iss: "urn:x:y", key_source: "discovery" }],
  [
    "a trust domain with a path",
    { iss: "spiffe://a.test/x", key_source: "spiffe", keys_uri: "https://b.test" },
  ],
  ["a trust domain by discovery", { iss: "spiffe://a.test", key_source: "discovery" }],
  [
    "a bundle of no trust domain",
    { iss: "https://a.test", key_source: "spiffe", keys_uri: "https://b.test" },
  ],
  ["no keys_uri", { iss: "https://a.test", key_source: "jwks_uri" }],
  [
    "a keys_uri too many",
    { iss: "https://a.test", key_source: "discovery", keys_uri: "https://b.test" },
  ],
  ["no keys", { iss: "https://a.test", key_source: "jwks" }],
  ["keys by http", { iss: "https://a.test", key_source: "jwks_uri", keys_uri: "http://b.test" }],
])("an issuer with %s is not trusted", async (_what, body) => {
  const { status, body: problem } = await admin.post("/trust/issuers", { name: "wrong", ...body });
  expect([status, problem.type]).toEqual([400, "urn:daykey:problem:invalid-trusted-issuer"]);
});

test.each([
  ["a path that is none", { conditions: [{ claim: "kubernetes.io/a.b", one_of: ["x"] }] }],
  ["a glob for all", { conditions: [{ claim: "sub", glob: "**" }] }],
  ["a condition of both kinds", { conditions: [{ claim: "sub", one_of: ["a"], glob: "a*" }] }],
  ["a condition of no kind", { conditions: [{ claim: "sub" }] }],
  ["more scope than the client", { scopes: ["daykey:admin"] }],
  ["a resource that is not the client's", { resources: ["https://no.example.test"] }],
  ["too long a life", { access_token_seconds: 86_400 }],
  ["no client", { client_id: "nobody" }],
  ["no issuer", { issuer: "nobody" }],
])("there is no rule with %s", async (_what, wrong) => {
  await admin.post("/trust/issuers", {
    name: "base",
    iss: "https://base.test",
    key_source: "discovery",
  });
  const conditions = [{ claim: "sub", one_of: ["a"] }];
  const rule = { name: "wrong", issuer: "base", client_id: "deployer", conditions, ...wrong };
  const { status, body } = await admin.post("/trust/rules", rule);
  expect([status, body.type]).toEqual([400, "urn:daykey:problem:invalid-trust-rule"]);
});
