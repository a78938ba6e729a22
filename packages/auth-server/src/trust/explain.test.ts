/** What an operator is told of a token in hand. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import { createKey, type TestKey } from "../../test/assertions.ts";
import { API, OTHER_API, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import {
  addRule,
  createWorkloadClient,
  enter,
  GITHUB,
  githubToken,
  KUBERNETES,
  kubernetesToken,
  trustIssuer,
} from "../../test/trust.ts";

let server: TestAuthServer;
let admin: TestAdmin;
let cluster: TestKey;
let github: TestKey;
beforeAll(async () => {
  server = await startAuthServer();
  admin = await createTestAdmin(server);
  [cluster, github] = [createKey("k8s-1"), createKey("gh-1")];
  for (const id of ["billing", "reader"]) await createWorkloadClient(server, id);
  await trustIssuer(admin, "cluster", { iss: KUBERNETES, keys: [cluster] });
  await trustIssuer(admin, "github", { iss: GITHUB, keys: [github] });
  const namespace = { claim: "/kubernetes.io/namespace", one_of: ["prod"] };
  const account = { claim: "/kubernetes.io/serviceaccount/name", glob: "bill*" };
  await addRule(admin, "a-billing", {
    issuer: "cluster",
    client_id: "billing",
    conditions: [namespace, account],
    scopes: ["time:read"],
    access_token_seconds: 60,
  });
  await addRule(admin, "b-reader", {
    issuer: "cluster",
    client_id: "reader",
    conditions: [{ claim: "sub", one_of: ["system:serviceaccount:dev:reader"] }],
    state: "dry_run",
  });
});
afterAll(() => server.stop());

async function explain(token: string, form = {}) {
  const { status, body, text } = await admin.post("/trust/explain", { token, ...form });
  expect(status, text).toBe(200);
  return body;
}

test("X10: a token that is let in: by which rule, as whom, with what; and it is still good", async () => {
  const token = kubernetesToken(cluster, server.now());
  expect(await explain(token)).toEqual({
    issuer: "cluster",
    refused: null,
    rules: [
      { rule: "a-billing", client_id: "billing", state: "enabled", unmet: null },
      {
        rule: "b-reader",
        client_id: "reader",
        state: "dry_run",
        unmet: {
          claim: "sub",
          wanted: "system:serviceaccount:dev:reader",
          found: '"system:serviceaccount:prod:billing"',
        },
      },
    ],
    result: {
      rule: "a-billing",
      client_id: "billing",
      scopes: ["time:read"],
      resources: [API, OTHER_API],
      access_token_seconds: 60,
      ext: {},
    },
  });
  expect((await enter(server, token)).status).toBe(200);
});

test("X10: a refused one: the first condition that is not met, and what the token has there", async () => {
  const other = await explain(kubernetesToken(cluster, server.now(), { namespace: "stage" }));
  expect(other).toMatchObject({ refused: "no_rule", result: null });
  expect(other.rules[0].unmet).toEqual({
    claim: "/kubernetes.io/namespace",
    wanted: "prod",
    found: '"stage"',
  });
  const account = await explain(kubernetesToken(cluster, server.now(), { account: "shop" }));
  expect(account.rules[0].unmet).toMatchObject({ wanted: "the glob bill*", found: '"shop"' });
  const odd = { "kubernetes.io": { namespace: { a: "x".repeat(500) } } };
  const claims = await explain(kubernetesToken(cluster, server.now(), { claims: odd }));
  expect(claims.rules[0].unmet.found).toMatch(/^\{"a":"x+$/);
  const late = kubernetesToken(cluster, server.now() - 8000);
  expect(await explain(late)).toMatchObject({ refused: "assertion_expired", result: null });
  const foreign = kubernetesToken(cluster, server.now(), { claims: { aud: ["https://x"] } });
  expect((await explain(foreign)).refused).toBe("assertion_audience");
  const asked = await explain(kubernetesToken(cluster, server.now()), { client_id: "reader" });
  expect(asked).toMatchObject({ refused: "no_rule", result: null });
});

test("X10: of a token that its issuer did not sign nothing is told but that; nothing is logged", async () => {
  const forged = kubernetesToken({ ...github, kid: cluster.kid }, server.now());
  expect(await explain(forged)).toEqual({
    issuer: "cluster",
    refused: "wrong_credential",
    rules: [],
    result: null,
  });
  const unknown = githubToken(github, server.now(), { claims: { iss: "https://no.example.test" } });
  expect(await explain(unknown)).toMatchObject({ issuer: null, refused: "unknown_issuer" });
  expect((await explain("garbage")).refused).toBe("malformed_assertion");
  const logged = JSON.stringify(server.lines);
  for (const token of [forged, unknown]) expect(logged).not.toContain(token.split(".")[1]);
});
