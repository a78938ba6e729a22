/** Which rule lets in, and which does not: one of many, none, dry runs, default accounts, replays. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TestAdmin } from "../../test/admin.ts";
import type { TestKey } from "../../test/assertions.ts";
import type { TestAuthServer } from "../../test/auth-server.ts";
import {
  addRule,
  change,
  createWorkloadClient,
  DOORS,
  enter,
  githubToken,
  kubernetesToken,
  lastLine,
  lastReason,
  svid,
  expectRefused,
  startTrustingServer,
  type TrustingServer,
} from "../../test/trust.ts";

let trusting: TrustingServer;
let server: TestAuthServer;
let admin: TestAdmin;
let github: TestKey;
let cluster: TestKey;
let domain: TestKey;
beforeAll(async () => {
  trusting = await startTrustingServer();
  ({ server, admin, github, cluster, domain } = trusting);
});
afterAll(() => trusting.stop());

test("X3: a token of one rule does not make another's client", async () => {
  const token = () => kubernetesToken(cluster, server.now());
  expect((await enter(server, token(), { client_id: "billing" })).status).toBe(200);
  for (const client_id of ["reader", "deployer", "nobody", admin.client.clientId]) {
    await expectRefused(server, token(), "client_assertion", client_id, { client_id });
  }
  await expectRefused(
    server,
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
  await expectRefused(server, dev("default"), "client_assertion");
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
  await expectRefused(server, githubToken(github, server.now()), "grant");
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
  await expectRefused(server, token, "client_assertion");
  expect(lastReason(server)).toBe("replayed");
  await expectRefused(server, token, "grant");
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
  await expectRefused(
    server,
    kubernetesToken(cluster, server.now(), { namespace: "stage" }),
    "grant",
  );
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
  await expectRefused(server, token(), "client_assertion", "plain", { client_id: "plain" });
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
  await expectRefused(server, token(), "client_assertion", "disabled", { client_id: "no-grant" });
});

test("X11: an issuer has 100 rules that one token could fit, and no more", async () => {
  const rule = (name: string, glob: string, state = "enabled") =>
    admin.post("/trust/rules", {
      name,
      state,
      issuer: "github",
      client_id: "deployer",
      conditions: [{ claim: "ref", glob }],
    });
  await server.database.query(
    `insert into daykey.trust_rules (name, issuer, client_id, state, conditions, cred)
     select 'told-' || n, 'github', 'deployer', 'enabled',
       jsonb_build_array(jsonb_build_object('claim', 'ref', 'glob', n || '/*')), 'rule told-' || n
     from generate_series(1, 200) n`,
  );
  expect((await rule("told", "201/*")).status).toBe(201);
  await server.database.query(
    `update daykey.trust_rules set conditions = jsonb_build_array(jsonb_build_object(
       'claim', 'ref', 'glob', '*' || name)) where name like 'told-1%'`,
  );
  expect((await rule("one-more", "*x")).body).toMatchObject({
    type: "urn:daykey:problem:too-many-rules",
    detail: expect.stringContaining("At most 100 of an issuer that one token could fit."),
  });
  expect((await rule("off", "*x", "disabled")).status).toBe(201);
  expect((await change(admin, "/trust/rules/off", { state: "enabled" })).status).toBe(409);
  await server.database.query("delete from daykey.trust_rules where name like 'told-%'");
  await server.look();
});
