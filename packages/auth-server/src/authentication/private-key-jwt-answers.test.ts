/** What `private_key_jwt` tells a stranger, how often an assertion works, and what ends with a key. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ASSERTION_TYPE,
  assertionOf,
  createKey,
  createKeyClient,
  present,
  registerKeys,
  revokeKey,
} from "../../test/assertions.ts";
import { type Answer, startAuthServer, type TestAuthServer } from "../../test/auth-server.ts";

const ROUNDS = 100;
const PARALLEL = 8;

let server: TestAuthServer;
let second: TestAuthServer;
beforeAll(async () => {
  server = await startAuthServer();
  second = await startAuthServer({ database: server.database });
});
afterAll(async () => {
  await second.stop();
  await server.stop();
});

type KeyClient = Awaited<ReturnType<typeof createKeyClient>>;

function assertion({ clientId, key }: Pick<KeyClient, "clientId" | "key">, claims = {}): string {
  return assertionOf(clientId, key, server.now(), { claims });
}

/** All that a caller can see of an answer but the two headers that differ by their nature. */
function visible({ status, headers, text }: Answer): object {
  const rest = [...headers].filter(([name]) => name !== "date" && name !== "x-request-id");
  return { status, headers: Object.fromEntries(rest), text };
}

function lineOf(answer: Answer): Record<string, unknown> | undefined {
  const requestId = answer.headers.get("x-request-id");
  return server.lines.find((line) => line["requestId"] === requestId && line["status"]);
}

async function changed(statement: string): Promise<KeyClient> {
  const client = await createKeyClient(server);
  expect((await present(server, assertion(client))).status).toBe(200);
  await server.database.query(statement, [client.clientId]);
  await server.look();
  return client;
}

type Named = ("client" | "kid")[];
const CAUSES: [name: string, reason: string, named: Named, make: () => Promise<KeyClient>][] = [
  [
    "an unknown client",
    "unknown_client",
    [],
    async () => ({ ...(await createKeyClient(server)), clientId: "nobody" }),
  ],
  [
    "an id that no client can have",
    "unknown_client",
    [],
    async () => ({ ...(await createKeyClient(server)), clientId: `-${"x".repeat(200)}` }),
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
    "a client without this method",
    "method_not_registered",
    ["client", "kid"],
    () =>
      changed(
        `update daykey.clients set auth_methods = '{client_secret_post}' where client_id = $1`,
      ),
  ],
  [
    "a revoked key",
    "unknown_key",
    ["client"],
    () => changed("update daykey.client_keys set revoked_at = now() where client_id = $1"),
  ],
  [
    "a client without a key",
    "unknown_key",
    ["client"],
    async () => ({
      ...(await server.createClient({ authMethods: ["private_key_jwt"] })),
      key: createKey("key-1"),
    }),
  ],
  [
    "an unknown kid",
    "unknown_key",
    ["client"],
    async () => {
      const client = await createKeyClient(server);
      return { ...client, key: { ...client.key, kid: "key-2" } };
    },
  ],
  [
    "another key's signature",
    "wrong_credential",
    ["client"],
    async () => ({ ...(await createKeyClient(server)), key: createKey("key-1") }),
  ],
];

describe("C5, L2: one answer to every assertion that is refused", () => {
  test.each(CAUSES)("%s", async (_name, reason, named, make) => {
    const usual = await server.token({
      grant_type: "client_credentials",
      client_id: "unknown",
      client_secret: "x",
    });
    const client = await make();
    const answer = await present(server, assertion(client));
    expect(answer.status).toBe(401);
    expect(visible(answer)).toEqual(visible(usual));
    const line = lineOf(answer);
    expect(line).toMatchObject({ reason, error: "invalid_client", authMethod: "private_key_jwt" });
    expect([line?.["client"], line?.["kid"]]).toEqual([
      named.includes("client") ? client.clientId : undefined,
      named.includes("kid") ? client.key.kid : undefined,
    ]);
  });

  test("an assertion used before", async () => {
    const client = await createKeyClient(server);
    const text = assertion(client);
    const [first, again] = [await present(server, text), await present(server, text)];
    const usual = await present(server, assertion({ ...client, clientId: "unknown" }));
    expect(lineOf(first)).toMatchObject({
      outcome: "issued",
      authMethod: "private_key_jwt",
      client: client.clientId,
      kid: "key-1",
    });
    expect(visible(again)).toEqual(visible(usual));
    expect(lineOf(again)).toMatchObject({ reason: "replayed", kid: "key-1" });
  });

  test("C15: never from a URL, never in the log", async () => {
    const client = await createKeyClient(server);
    const text = assertion(client, { jti: "canary-jti-canary" });
    for (const name of ["client_assertion", "client_assertion_type"]) {
      const response = await fetch(`${server.url}/oauth2/token?${name}=${text}`, {
        method: "POST",
        body: new URLSearchParams({
          grant_type: "client_credentials",
          client_assertion_type: ASSERTION_TYPE,
          client_assertion: text,
        }),
      });
      expect([response.status, (await response.json()) as object]).toEqual([
        400,
        {
          error: "invalid_request",
          error_description: "Send credentials in the body, not in the URL.",
        },
      ]);
    }
    expect((await present(server, text)).status).toBe(200);
    expect((await present(server, text)).status).toBe(401);
    const logged = JSON.stringify(server.lines);
    for (const part of [...text.split("."), "canary-jti-canary"]) {
      expect(logged).not.toContain(part);
    }
  });
});

describe("C8: once", () => {
  test(`of ${PARALLEL} at once on each of two instances one is accepted, ${ROUNDS} times`, async () => {
    const client = await createKeyClient(server);
    const outcomes: Record<string, number> = {};
    for (let round = 0; round < ROUNDS; round++) {
      const text = assertion(client);
      const statuses = await Promise.all(
        Array.from({ length: 2 * PARALLEL }, async (_, i) => {
          const { status } = await present(i % 2 === 0 ? server : second, text);
          return status;
        }),
      );
      const outcome = statuses.toSorted((a, b) => a - b).join(" ");
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    expect(outcomes).toEqual({ [`200${" 401".repeat(2 * PARALLEL - 1)}`]: ROUNDS });
  }, 60_000);

  test("a jti is its client's: with another of its keys it is used up, at another client not", async () => {
    const [client, other] = [await createKeyClient(server), await createKeyClient(server)];
    const rsa = createKey("key-2", "RS256");
    await registerKeys(server, client.clientId, rsa);
    const jti = randomUUID();
    const statuses = [];
    for (const by of [client, { ...client, key: rsa }, other]) {
      statuses.push((await present(server, assertion(by, { jti }))).status);
    }
    expect(statuses).toEqual([200, 401, 200]);
  });

  test("a jti is kept for longer than its assertion could be used", async () => {
    const client = await createKeyClient(server);
    const exp = Math.floor(server.now()) + 3600;
    expect((await present(server, assertion(client, { exp, jti: "kept" }))).status).toBe(200);
    const rows = await server.database.query(
      `select kid, nonce, expires_at = to_timestamp($2) as in_time
       from daykey.nonces where client_id = $1`,
      [client.clientId, exp + 300],
    );
    expect(rows).toEqual([{ kid: "jti", nonce: "kept", in_time: true }]);
  });

  test("what is refused uses no jti up", async () => {
    const client = await createKeyClient(server);
    const stranger = { ...client, key: createKey("key-1") };
    const late = { exp: Math.floor(server.now()) - 300 };
    for (const text of [
      assertion(stranger, { jti: "j" }),
      assertion(client, { jti: "j", ...late }),
    ]) {
      expect((await present(server, text)).status).toBe(401);
    }
    const count = "select from daykey.nonces where client_id = $1";
    expect(await server.database.query(count, [client.clientId])).toEqual([]);
    expect((await present(server, assertion(client, { jti: "j" }))).status).toBe(200);
  });
});

describe("R9: the key is the credential of what it opens", () => {
  test("cred is its kid, and revoking it ends the grants it opened, not another's", async () => {
    const client = await createKeyClient(server);
    const other = createKey("key-2");
    await registerKeys(server, client.clientId, other);
    const [byFirst, byOther] = [
      await present(server, assertion(client)),
      await present(server, assertion({ ...client, key: other })),
    ];
    const payload = String(byFirst.body["access_token"]).split(".")[1] ?? "";
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({
      client_id: client.clientId,
      cred: "key-1",
    });
    await revokeKey(server, client.clientId, "key-1");
    const refresh = async ({ body }: Answer): Promise<object> => {
      const form = { grant_type: "refresh_token", refresh_token: String(body["refresh_token"]) };
      const answer = await present(server, assertion({ ...client, key: other }), form);
      return { status: answer.status, error: answer.body["error"] };
    };
    expect(await refresh(byFirst)).toEqual({ status: 400, error: "invalid_grant" });
    expect(await refresh(byOther)).toEqual({ status: 200, error: undefined });
    const news = await server.database.query(
      "select kind from daykey.revocations where subject = $1",
      [`${client.clientId} key-1`],
    );
    expect(news).toEqual([{ kind: "credential" }]);
  });

  test("C13: a key added or revoked counts on every instance at once", async () => {
    const client = await createKeyClient(server);
    await second.look();
    expect((await present(second, assertion(client))).status).toBe(200);
    await revokeKey(server, client.clientId, "key-1");
    await second.look();
    expect((await present(second, assertion(client))).status).toBe(401);
  });

  test("a kid is one credential: a key cannot have a secret's, nor twice the same", async () => {
    const client = await server.createClient();
    const [taken, fresh] = [createKey(client.kid), createKey("key-1")];
    expect(await registerKeys(server, client.clientId, taken, fresh, fresh)).toEqual([
      "kid_exists",
      "added",
      "kid_exists",
    ]);
    await revokeKey(server, client.clientId, "key-1");
    expect(await registerKeys(server, client.clientId, fresh)).toEqual(["kid_exists"]);
  });
});
