/** Which rule lets in, and which does not: one of many, none, dry runs, default accounts, replays. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import { createKey, type Members, type TestKey } from "../../test/assertions.ts";
import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import { type KeyServer, startKeyServer } from "../../test/key-server.ts";
import {
  addRule,
  createWorkloadClient,
  type Door,
  DOORS,
  enter,
  GITHUB,
  githubToken,
  KUBERNETES,
  kubernetesToken,
  lastLine,
  lastReason,
  SPIFFE,
  svid,
  trustIssuer,
} from "../../test/trust.ts";

let server: TestAuthServer;
let admin: TestAdmin;
let keyServer: KeyServer;
let github: TestKey;
let cluster: TestKey;
let domain: TestKey;
let fetched: TestKey;
const FETCHED = "https://ci.example.test";
beforeAll(async () => {
  keyServer = await startKeyServer();
  server = await startAuthServer({ config: { allowPrivateJwksUri: true } });
  admin = await createTestAdmin(server);
  [github, cluster] = [createKey("gh-1"), createKey("k8s-1")];
  [domain, fetched] = [createKey("svid-1"), createKey("ci-1")];
  keyServer.publish(fetched.publicJwk);
  for (const id of ["deployer", "billing", "reader"]) await createWorkloadClient(server, id);
  await trustIssuer(admin, "github", { iss: GITHUB, keys: [github] });
  await trustIssuer(admin, "cluster", { iss: KUBERNETES, keys: [cluster], reusable: true });
  await trustIssuer(admin, "domain", { iss: SPIFFE, keys: [domain] });
  const ci = { name: "ci", iss: FETCHED, key_source: "jwks_uri", keys_uri: keyServer.uri };
  await admin.post("/trust/issuers", ci);
  const rules: [string, string, string, Members[]][] = [
    [
      "deploy",
      "github",
      "deployer",
      [
        { claim: "repository_id", one_of: ["74"] },
        { claim: "environment", one_of: ["prod"] },
      ],
    ],
    [
      "cluster-billing",
      "cluster",
      "billing",
      [
        { claim: "/kubernetes.io/namespace", one_of: ["prod"] },
        { claim: "/kubernetes.io/serviceaccount/name", glob: "b*" },
      ],
    ],
    ["cluster-any", "cluster", "reader", [{ claim: "sub", glob: "system:serviceaccount:dev:*" }]],
    ["svid-billing", "domain", "billing", [{ claim: "sub", glob: `${SPIFFE}/ns/prod/sa/*` }]],
    ["ci-74", "ci", "deployer", [{ claim: "repository_id", one_of: ["74"] }]],
  ];
  for (const [name, issuer, client_id, conditions] of rules) {
    await addRule(admin, name, { issuer, client_id, conditions });
  }
});
afterAll(async () => {
  await server.stop();
  await keyServer.stop();
});

const REFUSED: Record<Door, readonly [number, string, string]> = {
  client_assertion: [401, "invalid_client", "Client authentication failed."],
  jwt_spiffe: [401, "invalid_client", "Client authentication failed."],
  grant: [400, "invalid_grant", "The assertion cannot be used."],
};

async function expectRefused(token: string, door: Door, name = "", form = {}): Promise<void> {
  const { status, body } = await enter(server, token, { door, ...form });
  expect([status, body["error"], body["error_description"]], name).toEqual(REFUSED[door]);
}

test("X3: a token of one rule does not make another's client", async () => {
  const token = () => kubernetesToken(cluster, server.now());
  expect((await enter(server, token(), { client_id: "billing" })).status).toBe(200);
  for (const client_id of ["reader", "deployer", "nobody", admin.client.clientId]) {
    await expectRefused(token(), "client_assertion", client_id, { client_id });
  }
  await expectRefused(
    kubernetesToken(cluster, server.now(), { namespace: "prod2" }),
    "client_assertion",
  );
  expect(lastLine(server)).toMatchObject({
    reason: "no_rule",
    trustedIssuer: "cluster",
    nearestRule: "cluster-billing",
    condition: "/kubernetes.io/namespace",
  });
});

test("X3: a rule that does not name the default service account does not let it in", async () => {
  const dev = (account: string) =>
    kubernetesToken(cluster, server.now(), { namespace: "dev", account });
  expect((await enter(server, dev("worker"))).status).toBe(200);
  await expectRefused(dev("default"), "client_assertion");
  expect(lastReason(server)).toBe("no_rule");
  await addRule(admin, "dev-default", {
    issuer: "cluster",
    client_id: "deployer",
    conditions: [{ claim: "sub", one_of: ["system:serviceaccount:dev:default"] }],
  });
  expect((await enter(server, dev("default"))).status).toBe(200);
  await admin.call("DELETE", "/trust/rules/dev-default");
});

test("X4: of rules for two clients client_id says which, and without it none is taken; of one client's the stricter", async () => {
  const base = { issuer: "github", client_id: "reader" };
  const strict = [
    { claim: "repository_id", one_of: ["74"] },
    { claim: "environment", one_of: ["prod"] },
    { claim: "ref", glob: "refs/heads/**" },
  ];
  await addRule(admin, "a-loose", {
    ...base,
    conditions: strict.slice(0, 1),
    scopes: ["primes:check"],
  });
  await addRule(admin, "b-strict", { ...base, conditions: strict, scopes: ["time:read"] });
  await expectRefused(githubToken(github, server.now()), "grant");
  expect(lastReason(server)).toBe("several_clients");
  const asked = await enter(server, githubToken(github, server.now()), { client_id: "reader" });
  expect([asked.status, asked.body["scope"], lastLine(server)["rule"]]).toEqual([
    200,
    "time:read",
    "b-strict",
  ]);
  for (const name of ["a-loose", "b-strict"]) await admin.call("DELETE", `/trust/rules/${name}`);
});

test("X5: a jti is good once, at whichever door; without one, or where the issuer is said to reuse, more often", async () => {
  const token = githubToken(github, server.now());
  expect((await enter(server, token)).status).toBe(200);
  await expectRefused(token, "client_assertion");
  expect(lastReason(server)).toBe("replayed");
  await expectRefused(token, "grant");
  for (const [again, door] of [
    [svid(domain, server.now()), "jwt_spiffe"],
    [kubernetesToken(cluster, server.now()), "grant"],
  ] as const) {
    expect((await enter(server, again, { door })).status).toBe(200);
    expect((await enter(server, again, { door })).status).toBe(200);
  }
});

test("X7: a dry run lets nobody in, and says whom it would have", async () => {
  await addRule(admin, "dry", {
    issuer: "cluster",
    client_id: "deployer",
    state: "dry_run",
    conditions: [{ claim: "/kubernetes.io/namespace", one_of: ["stage"] }],
  });
  await expectRefused(kubernetesToken(cluster, server.now(), { namespace: "stage" }), "grant");
  expect(lastLine(server)).toMatchObject({
    reason: "no_rule",
    dryRunRule: "dry",
    dryRunClient: "deployer",
  });
});

test("C3, T8, A7: the client must be registered for it, and enabled", async () => {
  await createWorkloadClient(server, "plain", { authMethods: ["client_secret_hash_day"] });
  await createWorkloadClient(server, "no-grant", { grantTypes: ["client_credentials"] });
  await createWorkloadClient(server, "refresher", {
    grantTypes: ["client_credentials", "refresh_token"],
  });
  const conditions = [{ claim: "repository_id", one_of: ["99"] }];
  for (const client_id of ["plain", "no-grant", "refresher"]) {
    await addRule(admin, `of-${client_id}`, { issuer: "github", client_id, conditions });
  }
  const token = () => githubToken(github, server.now(), { claims: { repository_id: "99" } });
  await expectRefused(token(), "client_assertion", "plain", { client_id: "plain" });
  expect(lastReason(server)).toBe("method_not_registered");
  const grant = await enter(server, token(), { door: "grant", client_id: "no-grant" });
  expect([grant.status, grant.body["error"]]).toEqual([400, "unauthorized_client"]);
  const refresher = await enter(server, token(), { client_id: "refresher" });
  expect([refresher.status, refresher.body["refresh_token"]]).toEqual([200, undefined]);
  const refresh = await server.token({
    ...DOORS.client_assertion(token()),
    grant_type: "refresh_token",
    refresh_token: "x",
    client_id: "refresher",
  });
  expect([refresh.status, refresh.body["error"]]).toEqual([400, "unauthorized_client"]);
  await admin.post("/clients/no-grant/disable");
  await expectRefused(token(), "client_assertion", "disabled", { client_id: "no-grant" });
});
