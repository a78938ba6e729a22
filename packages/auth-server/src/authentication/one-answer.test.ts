/** One answer to every failed authentication (protocol §1), and one log line that tells them apart. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Answer,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";

let server: TestAuthServer;
beforeAll(async () => {
  server = await startAuthServer();
});
afterAll(() => server.stop());

interface Attempt {
  clientId: string;
  value: string;
}

async function changed(statement: string): Promise<TestClient> {
  const client = await server.createClient();
  expect((await server.clientCredentials(client)).status).toBe(200);
  await server.database.query(statement, [client.clientId]);
  await server.look();
  return client;
}

const otherSecret = (client: TestClient): TestClient => ({ ...client, root: "another secret" });

/** The causes of C5 that hold whatever the credential, with the log's reason and what else it names. */
const CLIENTS: [
  name: string,
  reason: string,
  named: ("client" | "kid")[],
  make: () => Promise<TestClient>,
][] = [
  [
    "an unknown client",
    "unknown_client",
    [],
    async () => ({ ...(await server.createClient()), clientId: "nobody" }),
  ],
  [
    "an id that no client can have",
    "unknown_client",
    [],
    async () => ({ ...(await server.createClient()), clientId: `-${"x".repeat(200)}` }),
  ],
  [
    "a deleted client",
    "unknown_client",
    [],
    () => changed("update daykey.clients set deleted_at = now() where client_id = $1"),
  ],
  [
    "a disabled client",
    "disabled_client",
    ["client", "kid"],
    () => changed("update daykey.clients set enabled = false where client_id = $1"),
  ],
  [
    "a revoked secret",
    "wrong_credential",
    ["client"],
    () => changed("update daykey.secrets set revoked_at = now() where client_id = $1"),
  ],
  [
    "an expired secret",
    "wrong_credential",
    ["client"],
    () =>
      changed("update daykey.secrets set expires_at = now() - interval '1 h' where client_id = $1"),
  ],
  [
    "a client without this method",
    "method_not_registered",
    ["client", "kid"],
    () => changed(`update daykey.clients set auth_methods = '{}' where client_id = $1`),
  ],
  [
    "another secret",
    "wrong_credential",
    ["client"],
    async () => {
      const client = await server.createClient();
      return { ...otherSecret(client), clientSecret: (await server.createClient()).clientSecret };
    },
  ],
];

const FORMS: [name: string, present: (of: TestClient) => Promise<Answer>][] = [
  [
    "the day form",
    async (of) => post({ clientId: of.clientId, value: await server.dayForm(of) }, "_hash"),
  ],
  [
    "the one-time form",
    async (of) => post({ clientId: of.clientId, value: await server.oneTime(of) }, "_hash"),
  ],
  ["the secret in post", async (of) => post({ clientId: of.clientId, value: of.clientSecret }, "")],
  ["the secret in Basic", async (of) => basic({ clientId: of.clientId, value: of.clientSecret })],
  [
    "the day form in Basic",
    async (of) => basic({ clientId: of.clientId, value: await server.dayForm(of) }),
  ],
];

function post({ clientId, value }: Attempt, suffix: "_hash" | ""): Promise<Answer> {
  const form = { grant_type: "client_credentials", client_id: clientId };
  return server.token({ ...form, [`client_secret${suffix}`]: value });
}

function basic({ clientId, value }: Attempt): Promise<Answer> {
  const authorization = `Basic ${Buffer.from(`${clientId}:${value}`).toString("base64")}`;
  return server.token({ grant_type: "client_credentials" }, { authorization });
}

/** All that a caller can see of an answer but the two headers that differ by their nature. */
function visible({ status, headers, text }: Answer): object {
  const rest = [...headers].filter(([name]) => name !== "date" && name !== "x-request-id");
  return { status, headers: Object.fromEntries(rest), text };
}

/** The log line of an answer. */
function lineOf(answer: Answer): Record<string, unknown> | undefined {
  const requestId = answer.headers.get("x-request-id");
  return server.lines.find((line) => line["requestId"] === requestId && line["status"]);
}

describe.each(FORMS)("C5, L2: by %s", (_form, present) => {
  let usual: object;
  beforeAll(async () => {
    usual = visible(await present({ ...(await server.createClient()), clientId: "unknown" }));
  });

  test.each(CLIENTS)(
    "%s is answered like an unknown client",
    async (_name, reason, named, make) => {
      const client = await make();
      const answer = await present(client);
      expect(answer.status).toBe(401);
      expect(visible(answer)).toEqual(usual);
      const line = lineOf(answer);
      expect(line).toMatchObject({ reason, error: "invalid_client", address: "127.0.0.1" });
      expect(line).toMatchObject({ method: "POST", route: "/oauth2/token", status: 401 });
      expect([line?.["client"], line?.["kid"]]).toEqual([
        named.includes("client") ? client.clientId : undefined,
        named.includes("kid") ? client.kid : undefined,
      ]);
    },
  );
});

describe("C5: what only a hash can be", () => {
  const wrong: [name: string, reason: string, make: (of: TestClient) => Promise<string>][] = [
    ["an unknown kid", "wrong_credential", (of) => server.oneTime({ ...of, kid: "00000000" })],
    [
      "a hash used before",
      "replayed",
      async (of) => {
        const hash = await server.oneTime(of);
        expect((await post({ clientId: of.clientId, value: hash }, "_hash")).status).toBe(200);
        return hash;
      },
    ],
    ["no hash at all", "wrong_credential", async () => "x"],
    ["40 hex", "wrong_credential", async () => randomBytes(20).toString("hex")],
    ["64 zeros", "wrong_credential", async () => "0".repeat(64)],
    ["random hex", "wrong_credential", async () => randomBytes(32).toString("hex")],
    [
      "4 KiB",
      "wrong_credential",
      async (of) => `${of.kid}.${"2026-11-21T12:00:00Z".repeat(100)}.${"0".repeat(2000)}`,
    ],
    ["yesterday's hash", "wrong_credential", (of) => server.dayForm(of, server.now() - 2 * 86_400)],
  ];

  test.each(wrong)("%s", async (_name, reason, make) => {
    const client = await server.createClient();
    const usual = await post({ clientId: "unknown", value: "0".repeat(64) }, "_hash");
    const answer = await post({ clientId: client.clientId, value: await make(client) }, "_hash");
    expect(visible(answer)).toEqual(visible(usual));
    expect(lineOf(answer)).toMatchObject({ reason, client: client.clientId });
  });
});

test("C5: a secret that expires while the client is in memory", async () => {
  const client = await server.createClient({}, { kind: "generated", days: 1 });
  // News of a client that is new would make the server forget it.
  await server.look();
  expect((await server.clientCredentials(client)).status).toBe(200);
  const usual = await post({ clientId: "unknown", value: "0".repeat(64) }, "_hash");
  server.advance(86_401);
  const answer = await server.clientCredentials(client);
  expect(visible(answer)).toEqual(visible(usual));
  expect(lineOf(answer)).toMatchObject({ reason: "expired_secret", kid: client.kid });
});

describe("L2: outcomes that are not invalid_client, and the good one", () => {
  test("a token issued", async () => {
    const client = await server.createClient();
    const answer = await server.clientCredentials(client);
    expect(lineOf(answer)).toMatchObject({
      address: "127.0.0.1",
      authMethod: "client_secret_hash",
      client: client.clientId,
      kid: client.kid,
      grantType: "client_credentials",
      outcome: "issued",
      method: "POST",
      status: 200,
    });
  });

  test("a hash too far from now", async () => {
    const client = await server.createClient();
    const value = await server.oneTime(client, server.now() + 3600);
    const answer = await post({ clientId: client.clientId, value }, "_hash");
    expect(lineOf(answer)).toMatchObject({
      client: client.clientId,
      kid: client.kid,
      reason: "clock_skew",
    });
  });

  test.each([
    [{}, "no_client_id"],
    [{ client_id: "a" }, "no_credential"],
    [{ client_id: "a", client_assertion: "x" }, "unknown_method"],
    [{ client_id: "a", client_secret: "x", client_secret_hash: "x" }, "several_credentials"],
  ])("%j: %s", async (form, reason) => {
    const answer = await server.token({ grant_type: "client_credentials", ...form });
    expect(lineOf(answer)).toMatchObject({ reason, address: "127.0.0.1" });
  });

  test("a secret in the place of the client_id is not logged", async () => {
    const { clientSecret } = await server.createClient();
    const answer = await post({ clientId: clientSecret, value: "x" }, "");
    expect(answer.status).toBe(401);
    expect(JSON.stringify(server.lines)).not.toContain(clientSecret);
  });
});
