/**
 * Tokens that the generator of Kubernetes itself made (`k8s.io/kubernetes/pkg/serviceaccount` of 1.37), read
 * at the time they were made. Their private key is gone.
 */
import { readFileSync } from "node:fs";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import { startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";
import {
  addRule,
  createWorkloadClient,
  type Door,
  enter,
  KUBERNETES,
  lastReason,
} from "../../test/trust.ts";

interface Made {
  madeAt: number;
  jwks: object;
  tokens: Record<"prod-billing" | "stage-billing" | "prod-default", string>;
}
const file = new URL("../../test/kubernetes-tokens.json", import.meta.url);
const { madeAt, jwks, tokens } = JSON.parse(readFileSync(file, "utf8")) as Made;

let server: TestAuthServer;
let admin: TestAdmin;
beforeAll(async () => {
  server = await startAuthServer({ offset: madeAt + 60 - Date.now() / 1000 });
  admin = await createTestAdmin(server);
  await createWorkloadClient(server, "billing");
  const body = { name: "cluster", iss: KUBERNETES, key_source: "jwks", jwks, reusable: true };
  await admin.post("/trust/issuers", body);
  await addRule(admin, "billing-prod", {
    issuer: "cluster",
    client_id: "billing",
    conditions: [{ claim: "/kubernetes.io/namespace", one_of: ["prod"] }],
  });
});
afterAll(() => server.stop());

test.each<Door>(["client_assertion", "grant"])(
  "X1: a service account's token becomes a client's, by the door %s",
  async (door) => {
    const { status, body } = await enter(server, tokens["prod-billing"], { door });
    expect(status, String(lastReason(server))).toBe(200);
    expect(decodeJwt(String(body["access_token"]))).toMatchObject({
      client_id: "billing",
      workload: { iss: KUBERNETES, sub: "system:serviceaccount:prod:billing" },
    });
  },
);

test("X3: nor does another namespace's, or the account default", async () => {
  for (const name of ["stage-billing", "prod-default"] as const) {
    expect((await enter(server, tokens[name])).status).toBe(401);
    expect(lastReason(server)).toBe("no_rule");
  }
  const explained = await admin.post("/trust/explain", { token: tokens["stage-billing"] });
  expect(explained.body.rules[0].unmet).toEqual({
    claim: "/kubernetes.io/namespace",
    wanted: "prod",
    found: '"stage"',
  });
});
