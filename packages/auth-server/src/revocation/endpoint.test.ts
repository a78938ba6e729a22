import { scrape } from "@daykey/service/test/metrics";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  API,
  type Answer,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import { expectRefused, openGrant, refreshTokenOf, rotate } from "../../test/refresh.ts";

let server: TestAuthServer;
let client: TestClient;
beforeAll(async () => {
  server = await startAuthServer({ config: { revocationsPerClient: 5 } });
});
afterAll(() => server.stop());

const revoke = (token: string, by = client): Promise<Answer> =>
  server.postAs(by, "/oauth2/revoke", { token });

async function isActive(token: string): Promise<unknown> {
  return (await server.postAs(client, "/oauth2/introspect", { token })).body["active"];
}

async function newGrant(): Promise<{ access: string; refresh: string }> {
  client = await server.createClient();
  const answer = await server.clientCredentials(client);
  return { access: String(answer.body["access_token"]), refresh: refreshTokenOf(answer) };
}

describe("RFC 7009: revoking any token of a grant ends the grant", () => {
  test.each(["access", "refresh"] as const)("its %s token", async (kind) => {
    const grant = await newGrant();
    const { status, body, headers } = await revoke(grant[kind]);
    expect([status, body["state"], headers.get("cache-control")]).toEqual([
      200,
      "unseen",
      "no-store",
    ]);
    expectRefused(await server.refresh(client, grant.refresh));
    await server.look();
    expect(await isActive(grant.access)).toBe(false);
    expect(await isActive(grant.refresh)).toBe(false);
  });

  test("an expired but genuine access token ends it too", async () => {
    const grant = await newGrant();
    server.advance(601);
    expect((await revoke(grant.access)).status).toBe(200);
    expectRefused(await server.refresh(client, grant.refresh));
  });

  test("its client is told what the end met, and when the token itself ends", async () => {
    const grant = await newGrant();
    const gid = (await server.postAs(client, "/oauth2/introspect", { token: grant.access })).body[
      "gid"
    ];
    await rotate(server, client, grant.refresh);
    server.advance(601);
    const ends = expect.any(Number);
    expect((await revoke(grant.access)).body).toEqual({
      grant: gid,
      state: "ended",
      token_expires_at: ends,
    });
    const again = (await revoke(grant.access)).body;
    expect(again).toEqual({ grant: gid, state: "ended_before", token_expires_at: ends });
    expect(again["token_expires_at"]).toBeLessThan(server.now());
    expect((await revoke("a.b.c")).body).toEqual({ state: "unknown_token" });
  });

  test("a used refresh token ends it, and its successor is dead", async () => {
    const { refresh } = await newGrant();
    const successor = await rotate(server, client, refresh);
    expect((await revoke(refresh)).status).toBe(200);
    expectRefused(await server.refresh(client, successor));
  });

  test("revoked twice is revoked once", async () => {
    const { access } = await newGrant();
    expect((await revoke(access)).status).toBe(200);
    expect((await revoke(access)).status).toBe(200);
  });
});

test.each(["", "garbage", "dkr1.aaaaaaaa.AQ.AQ", "eyJhbGciOiJub25lIn0.e30.", "a.b.c", "\u{1F511}"])(
  "RFC 7009 §2.2: what is no token of ours is as good as revoked: %j",
  async (token) => {
    await newGrant();
    const expected = token === "" ? 400 : 200;
    expect((await revoke(token)).status).toBe(expected);
  },
);

test.each(["access", "refresh"] as const)(
  "another client's %s token is refused and stays alive",
  async (kind) => {
    const grant = await newGrant();
    const stranger = await server.createClient();
    const { status, body } = await revoke(grant[kind], stranger);
    expect([status, body["error"]]).toEqual([400, "unauthorized_client"]);
    expect((await server.refresh(client, grant.refresh)).status).toBe(200);
  },
);

test("C1: nothing is revoked without client authentication", async () => {
  const grant = await newGrant();
  const form = {
    token: grant.refresh,
    client_id: client.clientId,
    client_secret_hash: "0".repeat(64),
  };
  const { status, body } = await server.post("/oauth2/revoke", form);
  expect([status, body["error"]]).toEqual([401, "invalid_client"]);
  expect((await server.refresh(client, grant.refresh)).status).toBe(200);
});

test("T9: 200 only after the commit: a failing statement is no 200, and the grant lives", async () => {
  const grant = await newGrant();
  await server.database.query(`
    create function fail() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
    create trigger fail before insert on daykey.revocations execute function fail();`);
  const answer = await revoke(grant.access);
  await server.database.query("drop function fail cascade");
  expect(answer.status).toBe(500);
  expect(answer.body["error"]).toBe("server_error");
  expect((await server.refresh(client, grant.refresh)).status).toBe(200);
});

/** The live entries that a client caused, or that are about it, and stay. */
async function entriesOf({ clientId }: TestClient): Promise<unknown[]> {
  return server.database.query(
    `select kind, epoch from daykey.revocations
     where (client_id = $1 or subject = $1) and expires_at > now() + interval '60 s'`,
    [clientId],
  );
}

test("past the limit, whatever a client ends itself becomes one entry that ends all its tokens", async () => {
  client = await server.createClient();
  const other = await server.createClient();
  const kept = await openGrant(server, client);
  const others = await openGrant(server, other);
  for (let i = 0; i < 3; i++) {
    expect((await revoke((await openGrant(server, client)).token)).status).toBe(200);
    const { token } = await openGrant(server, client);
    await rotate(server, client, await rotate(server, client, token));
    expectRefused(await server.refresh(client, token));
  }
  await server.look();
  expect(await entriesOf(client)).toEqual([{ kind: "client", epoch: 1 }]);
  expectRefused(await server.refresh(client, kept.token));
  expect((await server.refresh(other, others.token)).status).toBe(200);
  await rotate(server, client, (await openGrant(server, client)).token);

  const recorded = await server.database.query(
    "select actor, action, detail from daykey.audit_log where target = $1",
    [client.clientId],
  );
  expect(recorded).toEqual([
    {
      actor: "(server)",
      action: "client.revoke_tokens",
      detail: { before: null, after: { epoch: 1, revocations_per_client: 5 } },
    },
  ]);
  const { values } = await scrape(server.privateUrl);
  expect(Object.values(values("client_tokens_ended_total"))).toEqual([1]);
});

test("a client that makes too many rows of grants or nonces waits, and no other one does", async () => {
  const small = await startAuthServer({
    database: server.database,
    config: { grantsPerClient: 2, noncesPerClient: 2 },
  });
  const greedy = await server.createClient();
  const other = await server.createClient();
  const grants = [];
  for (let i = 0; i < 4; i++) grants.push(await openGrant(small, greedy));
  const byHash = async (by: TestClient): Promise<Answer> =>
    small.token({
      grant_type: "client_credentials",
      client_id: by.clientId,
      client_secret_hash: await small.oneTime(by),
    });
  const answers = [
    await small.refresh(greedy, grants[0]?.token),
    await small.postAs(greedy, "/oauth2/revoke", { token: grants[1]?.token ?? "" }),
    await small.refresh(greedy, grants[2]?.token),
    await small.postAs(greedy, "/oauth2/revoke", { token: grants[3]?.token ?? "" }),
    await byHash(greedy),
    await byHash(greedy),
    await byHash(greedy),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429, 429, 200, 200, 429]);
  for (const refused of answers.filter(({ status }) => status === 429)) {
    expect(refused.body["error"]).toBe("slow_down");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  }
  // What has its row already goes on.
  const next = answers[0]?.body["refresh_token"];
  expect((await small.refresh(greedy, next)).status).toBe(200);
  expect((await small.refresh(other, (await openGrant(small, other)).token)).status).toBe(200);
  expect((await byHash(other)).status).toBe(200);
  const { values } = await scrape(small.privateUrl);
  expect(Object.values(values("client_rows_refused_total"))).toEqual([2, 1]);
  await small.stop();
});

test("a resource server is not limited: its callers cause what it asks", async () => {
  const owner = await server.createClient();
  const own = "update daykey.resources set owner_client_id = $1 where uri = $2";
  await server.database.query(own, [owner.clientId, API]);
  const small = await startAuthServer({
    database: server.database,
    config: { noncesPerClient: 1 },
  });
  for (let i = 0; i < 3; i++) {
    const { status } = await small.token({
      grant_type: "client_credentials",
      client_id: owner.clientId,
      client_secret_hash: await small.oneTime(owner),
    });
    expect(status).toBe(200);
  }
  await server.database.query(own, [null, API]);
  await small.stop();
});

test("news of a revocation lives as long as its tokens may, and 5 minutes", async () => {
  const { access } = await newGrant();
  await revoke(access);
  const [row] = await server.database.query<{ seconds: number }>(
    `select extract(epoch from expires_at - created_at)::int as seconds
     from daykey.revocations where client_id = $1`,
    [client.clientId],
  );
  expect(row).toEqual({ seconds: 3600 + 300 });
});

test("reuse of a refresh token is news too", async () => {
  client = await server.createClient();
  const { id, token } = await openGrant(server, client);
  await rotate(server, client, await rotate(server, client, token));
  expectRefused(await server.refresh(client, token));
  const rows = await server.database.query(
    "select kind, subject from daykey.revocations where subject = $1",
    [id],
  );
  expect(rows).toEqual([{ kind: "grant", subject: id }]);
});
