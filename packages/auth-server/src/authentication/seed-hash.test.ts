/** The seed-compatible hash (docs/protocol.md §1.9): where it is good, what it opens, and when it is gone. */
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeJwt } from "jose";
import { formatDate } from "@daykey/common/clock";
import type { AuthMethod } from "@daykey/common/protocol";
import { seedHashMessage } from "@daykey/common/secret-hash";
import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import {
  type Answer,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";

const METHODS: AuthMethod[] = ["client_secret_hash_day", "client_secret_hash_seed"];
const REFUSED = { error: "invalid_client", error_description: "Client authentication failed." };

let server: TestAuthServer;
let off: TestAuthServer;
let admin: TestAdmin;
beforeAll(async () => {
  server = await startAuthServer({ config: { seedHash: true } });
  off = await startAuthServer({ database: server.database });
  admin = await createTestAdmin(server);
});
afterAll(async () => {
  await off.stop();
  await server.stop();
});

const seedClient = (registration = {}): Promise<TestClient> =>
  server.createClient({ authMethods: METHODS, ...registration });

function seedHash({ clientSecret, salt }: TestClient, at = server.now()): string {
  return createHmac("sha1", clientSecret)
    .update(seedHashMessage(formatDate(at), salt))
    .digest("hex");
}

function fields(client: TestClient): Record<string, string> {
  return { client_id: client.clientId, client_secret_hash: seedHash(client) };
}

function login(client: TestClient, of = server): Promise<Answer> {
  return of.token({ grant_type: "client_credentials", ...fields(client) });
}

function reasonOf(answer: Answer, of = server): unknown {
  const requestId = answer.headers.get("x-request-id");
  return of.lines.find((line) => line["requestId"] === requestId)?.["reason"];
}

/** Days for which there are verifiers, for each of the client's secrets; null without any. */
async function daysStored({ clientId }: TestClient): Promise<(number | null)[]> {
  const rows = await server.database.query<{ days: number | null }>(
    `select octet_length(seed_verifiers) / 32 as days from daykey.secrets
     where client_id = $1 order by created_at`,
    [clientId],
  );
  return rows.map(({ days }) => days);
}

async function expectRefused(answer: Answer, reason: string, of = server): Promise<void> {
  expect([answer.status, answer.body, reasonOf(answer, of)]).toEqual([401, REFUSED, reason]);
}

describe("what it opens", () => {
  test("an access token, and no refresh token, at the token endpoint", async () => {
    const client = await seedClient();
    const { status, body } = await login(client);
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(["access_token", "token_type", "expires_in", "scope"]);
    expect(body["expires_in"]).toBe(600);
    expect(decodeJwt(String(body["access_token"]))["cred"]).toBe(client.kid);
    const day = await server.clientCredentials(client);
    expect(day.body["refresh_token"]).toMatch(/^dkr1\./);
  });

  test("the same at /tokens", async () => {
    const { status, body } = await server.post("/tokens", fields(await seedClient()));
    expect([status, body]).toMatchObject([201, { status: 1, data: { refresh_token: "" } }]);
  });

  test("no access token lives longer than a quarter of an hour, whatever the client has", async () => {
    const lives = [];
    for (const accessTokenSeconds of [60, 900, 3600]) {
      const client = await seedClient({ accessTokenSeconds });
      lives.push((await login(client)).body["expires_in"]);
      expect((await server.clientCredentials(client)).body["expires_in"]).toBe(accessTokenSeconds);
    }
    expect(lives).toEqual([60, 900, 900]);
  });

  test("no grant is refreshed with it, and the grant is left alone", async () => {
    const client = await seedClient();
    const { body } = await server.clientCredentials(client);
    const form = { grant_type: "refresh_token", refresh_token: String(body["refresh_token"]) };
    const refused = await server.token({ ...form, ...fields(client) });
    expect([refused.status, refused.body["error"]]).toEqual([400, "unauthorized_client"]);
    expect((await server.refresh(client, body["refresh_token"])).status).toBe(200);
  });
});

describe("where it is not good: the one answer", () => {
  test.each(["/oauth2/revoke", "/oauth2/introspect"])("%s", async (path) => {
    const client = await seedClient();
    const answer = await server.post(path, { token: "x", ...fields(client) });
    await expectRefused(answer, "seed_hash_not_taken");
  });

  test("in the place of the secret", async () => {
    const client = await seedClient({ authMethods: [...METHODS, "client_secret_post"] });
    const { client_id = "", client_secret_hash: client_secret = "" } = fields(client);
    const form = { grant_type: "client_credentials", client_id, client_secret };
    await expectRefused(await server.token(form), "wrong_credential");
  });

  test("a server without SEED_HASH, over the same database", async () => {
    const client = await seedClient();
    expect((await login(client)).status).toBe(200);
    await off.look();
    await expectRefused(await login(client, off), "seed_hash_not_taken", off);
  });

  test("a client without the method, though its secret was made with it", async () => {
    const client = await seedClient();
    await server.database.query(
      "update daykey.clients set auth_methods = '{client_secret_hash_day}' where client_id = $1",
      [client.clientId],
    );
    await server.look();
    await expectRefused(await login(client), "method_not_registered");
  });

  test("a secret made before the client had the method; the next one has it", async () => {
    const client = await server.createClient({ authMethods: ["client_secret_hash_day"] });
    expect(await daysStored(client)).toEqual([null]);
    await change(client, METHODS);
    await expectRefused(await login(client), "wrong_credential");
    const next = await server.addSecret(client.clientId);
    expect((await login({ ...client, ...next })).status).toBe(200);
    expect(await daysStored(client)).toEqual([null, expect.any(Number)]);
  });

  test("a chosen secret", async () => {
    const chosen = { kind: "chosen", secret: "correct horse battery" } as const;
    const client = await server.createClient({ authMethods: METHODS }, chosen);
    expect(await daysStored(client)).toEqual([null]);
    await expectRefused(await login(client), "wrong_credential");
  });
});

async function change({ clientId }: TestClient, methods: readonly string[]): Promise<void> {
  const { etag } = await admin.get(`/clients/${clientId}`);
  const body = { auth_methods: methods };
  const changed = await admin.call("PATCH", `/clients/${clientId}`, body, { "if-match": etag });
  expect(changed.status, changed.text).toBe(200);
  await server.look();
}

describe("its verifiers", () => {
  test("are one a day of the secret's life, S(hash text), and end with the method", async () => {
    const client = await seedClient();
    expect(await daysStored(client)).toEqual([expect.any(Number)]);
    const [days] = await daysStored(client);
    expect([367, 368]).toContain(days);
    await change(client, ["client_secret_hash_day"]);
    expect(await daysStored(client)).toEqual([null]);
    await change(client, METHODS);
    await expectRefused(await login(client), "wrong_credential");
    expect((await server.clientCredentials(client)).status).toBe(200);
  });

  test("go when the secret is revoked, and with the client", async () => {
    const client = await seedClient();
    const { kid } = await server.addSecret(client.clientId);
    const revoked = await admin.post(`/clients/${client.clientId}/secrets/${kid}/revoke`);
    expect(revoked.status).toBe(204);
    expect(await daysStored(client)).toEqual([expect.any(Number), null]);
    expect((await admin.call("DELETE", `/clients/${client.clientId}`)).status).toBe(204);
    expect(await daysStored(client)).toEqual([null, null]);
  });

  test("of a secret that has ended go when the next one is made", async () => {
    const client = await seedClient();
    const end =
      "update daykey.secrets set expires_at = now() - interval '1 s' where client_id = $1";
    await server.database.query(end, [client.clientId]);
    await server.addSecret(client.clientId);
    expect(await daysStored(client)).toEqual([null, expect.any(Number)]);
  });
});

test("without SEED_HASH no client can be given the method", async () => {
  await expect(off.createClient({ authMethods: METHODS })).rejects.toMatchObject({
    status: 400,
    code: "invalid-registration",
    detail: "client_secret_hash_seed is for servers with the setting SEED_HASH.",
  });
  const client = await off.createClient({ authMethods: ["client_secret_hash_day"] });
  expect(await daysStored(client)).toEqual([null]);
});
