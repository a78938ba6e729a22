/** Trusted issuers, rules and tokens of workloads, right unless a test says otherwise. */
import { randomUUID } from "node:crypto";
import { JWT_BEARER_GRANT, SPIFFE_ASSERTION_TYPE } from "@daykey/common/protocol";
import { expect } from "vitest";
import { type AdminAnswer, createTestAdmin, type TestAdmin } from "./admin.ts";
import { ASSERTION_TYPE, createKey, type Members, signJwt, type TestKey } from "./assertions.ts";
import {
  type Answer,
  ISSUER,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "./auth-server.ts";
import { type KeyServer, startKeyServer } from "./key-server.ts";

export const GITHUB = "https://token.actions.example.test";
export const KUBERNETES = "https://kubernetes.default.svc.cluster.local";
export const SPIFFE = "spiffe://prod.example.test";

/** A client that rules may make, without a credential of its own. */
export async function createWorkloadClient(
  server: TestAuthServer,
  clientId: string,
  registration = {},
): Promise<TestClient> {
  return server.createClient({
    clientId,
    authMethods: ["workload"],
    grantTypes: ["client_credentials", JWT_BEARER_GRANT],
    ...registration,
  });
}

/** Trusts an issuer whose keys are uploaded. */
export async function trustIssuer(
  admin: TestAdmin,
  name: string,
  { iss, keys, ...rest }: { iss: string; keys: readonly TestKey[] } & Members,
): Promise<AdminAnswer> {
  const jwks = { keys: keys.map(({ publicJwk }) => publicJwk) };
  const body = { name, iss, key_source: "jwks", jwks, ...rest };
  const made = await admin.post("/trust/issuers", body);
  expect(made.status, made.text).toBe(201);
  return made;
}

export async function addRule(
  admin: TestAdmin,
  name: string,
  rule: { issuer: string; client_id: string; conditions: readonly Members[] } & Members,
): Promise<AdminAnswer> {
  const made = await admin.post("/trust/rules", { name, ...rule });
  expect(made.status, made.text).toBe(201);
  return made;
}

/** Changes some members of a rule or an issuer, whatever it was. */
export async function change(admin: TestAdmin, path: string, members: Members) {
  const { body, etag } = await admin.get(path);
  const { version: _version, updated_at: _updated, cred: _cred, ...rest } = body;
  return admin.call("PUT", path, { ...rest, ...members }, { "if-match": etag });
}

/** As GitHub's documentation has them; undefined leaves a claim out. */
export function githubToken(
  key: TestKey,
  now: number,
  { claims = {}, header = {} }: { claims?: Members; header?: Members } = {},
): string {
  const time = Math.floor(now);
  return signJwt(
    key,
    { alg: key.algorithm, typ: "JWT", kid: key.kid, ...header },
    {
      jti: randomUUID(),
      sub: "repo:octo-org/octo-repo:environment:prod",
      aud: ISSUER,
      ref: "refs/heads/main",
      sha: "0123456789abcdef0123456789abcdef01234567",
      repository: "octo-org/octo-repo",
      repository_owner: "octo-org",
      repository_id: "74",
      repository_owner_id: "65",
      actor: "octocat",
      environment: "prod",
      event_name: "workflow_dispatch",
      job_workflow_ref: "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main",
      iss: GITHUB,
      nbf: time,
      iat: time,
      exp: time + 300,
      ...claims,
    },
  );
}

/** As kube-apiserver makes them: no typ, aud a list. */
export function kubernetesToken(
  key: TestKey,
  now: number,
  {
    namespace = "prod",
    account = "billing",
    claims = {},
  }: { namespace?: string; account?: string; claims?: Members } = {},
): string {
  const time = Math.floor(now);
  return signJwt(
    key,
    { alg: key.algorithm, kid: key.kid },
    {
      aud: [ISSUER],
      exp: time + 3600,
      iat: time,
      iss: KUBERNETES,
      jti: randomUUID(),
      "kubernetes.io": { namespace, serviceaccount: { name: account, uid: "6f1d0d3e" } },
      nbf: time,
      sub: `system:serviceaccount:${namespace}:${account}`,
      ...claims,
    },
  );
}

/** A JWT-SVID: no iss, no jti. */
export function svid(
  key: TestKey,
  now: number,
  { claims = {}, header = {} }: { claims?: Members; header?: Members } = {},
): string {
  const time = Math.floor(now);
  return signJwt(
    key,
    { alg: key.algorithm, typ: "JWT", kid: key.kid, ...header },
    { sub: `${SPIFFE}/ns/prod/sa/billing`, aud: [ISSUER], iat: time, exp: time + 300, ...claims },
  );
}

export const DOORS = {
  client_assertion: (token: string) => ({
    grant_type: "client_credentials",
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: token,
  }),
  jwt_spiffe: (token: string) => ({
    grant_type: "client_credentials",
    client_assertion_type: SPIFFE_ASSERTION_TYPE,
    client_assertion: token,
  }),
  grant: (token: string) => ({ grant_type: JWT_BEARER_GRANT, assertion: token }),
};
export type Door = keyof typeof DOORS;

/** Asks for a token through a door. */
export async function enter(
  server: TestAuthServer,
  token: string,
  { door = "client_assertion", ...form }: { door?: Door } & Record<string, string> = {},
): Promise<Answer> {
  return server.token({ ...DOORS[door](token), ...form });
}

/** The reason of the last refusal, which the log alone has. */
export function lastReason(server: TestAuthServer): unknown {
  return server.lines.findLast(({ msg }) => msg === "request")?.["reason"];
}

export function lastLine(server: TestAuthServer): Record<string, unknown> {
  return server.lines.findLast(({ msg }) => msg === "request") ?? {};
}

export const FETCHED = "https://ci.example.test";

const RULES: readonly [name: string, issuer: string, clientId: string, conditions: Members[]][] = [
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

export interface TrustingServer {
  server: TestAuthServer;
  admin: TestAdmin;
  keyServer: KeyServer;
  github: TestKey;
  cluster: TestKey;
  domain: TestKey;
  fetched: TestKey;
  stop(): Promise<void>;
}

/** A server with three issuers of uploaded keys, one whose keys are fetched, and a rule or two for each. */
export async function startTrustingServer(): Promise<TrustingServer> {
  const keyServer = await startKeyServer();
  const server = await startAuthServer({ config: { allowPrivateJwksUri: true } });
  const admin = await createTestAdmin(server);
  const [github, cluster] = [createKey("gh-1"), createKey("k8s-1")];
  const [domain, fetched] = [createKey("svid-1"), createKey("ci-1")];
  keyServer.publish(fetched.publicJwk);
  for (const id of ["deployer", "billing", "reader"]) await createWorkloadClient(server, id);
  await trustIssuer(admin, "github", { iss: GITHUB, keys: [github] });
  await trustIssuer(admin, "cluster", { iss: KUBERNETES, keys: [cluster], reusable: true });
  await trustIssuer(admin, "domain", { iss: SPIFFE, keys: [domain] });
  const ci = { name: "ci", iss: FETCHED, key_source: "jwks_uri", keys_uri: keyServer.uri };
  await admin.post("/trust/issuers", ci);
  for (const [name, issuer, client_id, conditions] of RULES) {
    await addRule(admin, name, { issuer, client_id, conditions });
  }
  const stop = async (): Promise<void> => {
    await server.stop();
    await keyServer.stop();
  };
  return { server, admin, keyServer, github, cluster, domain, fetched, stop };
}

const REFUSED: Record<Door, readonly [number, string, string]> = {
  client_assertion: [401, "invalid_client", "Client authentication failed."],
  jwt_spiffe: [401, "invalid_client", "Client authentication failed."],
  grant: [400, "invalid_grant", "The assertion cannot be used."],
};

/** The one answer of a door to whatever it refuses. */
export async function expectRefused(
  server: TestAuthServer,
  token: string,
  door: Door,
  name = "",
  form = {},
): Promise<void> {
  const { status, body } = await enter(server, token, { door, ...form });
  expect([status, body["error"], body["error_description"]], name).toEqual(REFUSED[door]);
}
