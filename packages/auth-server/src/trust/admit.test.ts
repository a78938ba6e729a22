/** Workloads of trusted issuers become clients: the doors, the rules, the token. */
import { decodeJwt } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import { createKey, type TestKey } from "../../test/assertions.ts";
import { API, OTHER_API, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import {
  addRule,
  createWorkloadClient,
  type Door,
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
let github: TestKey;
let cluster: TestKey;
let domain: TestKey;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
  github = createKey("gh-1", "RS256");
  cluster = createKey("k8s-1");
  domain = createKey("svid-1");
  for (const id of ["deployer", "billing", "reader"]) await createWorkloadClient(server, id);
  await trustIssuer(admin, "github", { iss: GITHUB, keys: [github] });
  await trustIssuer(admin, "cluster", { iss: KUBERNETES, keys: [cluster], reusable: true });
  await trustIssuer(admin, "domain", { iss: SPIFFE, keys: [domain] });
  await addRule(admin, "deploy", {
    issuer: "github",
    client_id: "deployer",
    conditions: [
      { claim: "repository_id", one_of: ["74", "75"] },
      { claim: "environment", one_of: ["prod"] },
      { claim: "ref", glob: "refs/heads/*" },
    ],
    scopes: ["time:read"],
    resources: [OTHER_API],
    access_token_seconds: 120,
  });
  await addRule(admin, "billing-prod", {
    issuer: "cluster",
    client_id: "billing",
    conditions: [
      { claim: "/kubernetes.io/namespace", one_of: ["prod"] },
      { claim: "/kubernetes.io/serviceaccount/name", one_of: ["billing"] },
    ],
  });
  await addRule(admin, "billing-svid", {
    issuer: "domain",
    client_id: "billing",
    conditions: [{ claim: "sub", one_of: [`${SPIFFE}/ns/prod/sa/billing`] }],
  });
});
afterAll(() => server.stop());

test.each<[string, Door, () => string, object]>([
  [
    "GitHub-shaped, as the client's assertion",
    "client_assertion",
    () => githubToken(github, server.now()),
    { client_id: "deployer", scope: "time:read", aud: OTHER_API },
  ],
  [
    "GitHub-shaped, as the grant",
    "grant",
    () => githubToken(github, server.now()),
    { client_id: "deployer", scope: "time:read", aud: OTHER_API },
  ],
  [
    "Kubernetes-shaped",
    "client_assertion",
    () => kubernetesToken(cluster, server.now()),
    { client_id: "billing", scope: "time:read primes:check", aud: API },
  ],
  [
    "a JWT-SVID",
    "jwt_spiffe",
    () => svid(domain, server.now()),
    { client_id: "billing", scope: "time:read primes:check", aud: API },
  ],
])("X1: %s becomes a token of the rule's client", async (_kind, door, make, expected) => {
  const token = make();
  const answer = await enter(server, token, { door });
  expect(answer.status, `${answer.text} ${String(lastReason(server))}`).toBe(200);
  expect(answer.body["refresh_token"]).toBe(undefined);
  const claims = decodeJwt(String(answer.body["access_token"]));
  const { iss, sub } = decodeJwt(token);
  expect(claims).toMatchObject({
    ...expected,
    sub: (expected as { client_id: string }).client_id,
    workload: { iss: iss ?? SPIFFE, sub },
  });
  expect(claims["cred"]).toMatch(/^rule [a-z-]+\.[a-z0-9]{8}$/);
  expect(lastLine(server)).toMatchObject({
    authMethod: "workload",
    subject: sub,
    rule: expect.any(String),
  });
});

test("X1: a rule's shorter life and fewer scopes", async () => {
  const answer = await enter(server, githubToken(github, server.now()));
  expect(answer.body).toMatchObject({ expires_in: 120, scope: "time:read" });
  const more = await enter(server, githubToken(github, server.now()), { scope: "primes:check" });
  expect([more.status, more.body["error"]]).toEqual([400, "invalid_scope"]);
});
