/** R1, R10, R11: refreshing at once, on two servers over one database, by friend and thief. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDatabase, type Database } from "@daykey/service/database/database";
import { createTestLog } from "@daykey/service/test/log";
import {
  type Answer,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import {
  ageRotation,
  expectRefused,
  grantRow,
  openGrant,
  readToken,
  refreshTokenOf,
  rotate,
} from "../../test/refresh.ts";
import { createGrantsStore } from "../grants/grants-store.ts";

let server: TestAuthServer;
let other: TestAuthServer;
let client: TestClient;
let database: Database;
beforeAll(async () => {
  server = await startAuthServer();
  other = await startAuthServer({ database: server.database });
  client = await server.createClient();
  const { log } = createTestLog();
  database = createDatabase({ connectionString: server.database.appUrl, log });
});
afterAll(async () => {
  await database.close();
  await other.stop();
  await server.stop();
});

/** How often each outcome of a refresh was logged by either server, for these grants. */
function outcomes(grantIds: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of [...server.lines, ...other.lines]) {
    if (line["msg"] !== "request" || !grantIds.includes(String(line["grant"]))) continue;
    const outcome = String(line["refresh"] ?? line["outcome"]);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

/** `count` refreshes with one token at once, every other one at the second server. */
function refreshAtOnce(token: string, count: number): Promise<Answer[]> {
  return Promise.all(
    Array.from({ length: count }, (_, i) => (i % 2 === 0 ? server : other).refresh(client, token)),
  );
}

test("R1: 300 × 8 refreshes at once: each time 1 rotation and 7 retries, one successor", async () => {
  const grants = await Promise.all(Array.from({ length: 20 }, () => openGrant(server, client)));
  for (const { id, token } of grants) {
    let presented = token;
    for (let round = 1; round <= 15; round++) {
      const answers = await refreshAtOnce(presented, 8);
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
      const successors = new Set(answers.map(refreshTokenOf));
      expect(successors.size).toBe(1);
      const accessTokens = new Set(answers.map(({ body }) => body["access_token"]));
      expect(accessTokens.size).toBe(8);
      [presented = ""] = successors;
      expect(readToken(presented)).toMatchObject({ grant: { id }, seq: round });
    }
    expect(await grantRow(server.database, id)).toMatchObject({ seq: 15, revoked_at: null });
  }
  expect(outcomes(grants.map(({ id }) => id))).toEqual({
    issued: 20,
    rotated: 300,
    retried: 2100,
  });
});

test("R11: a retry racing its successor's use: the same successor before it, reuse after it", async () => {
  for (let round = 0; round < 40; round++) {
    const { id, token } = await openGrant(server, client);
    const successor = await rotate(server, client, token);
    const [first, second] = round % 2 === 0 ? [token, successor] : [successor, token];
    const answers = await Promise.all([
      server.refresh(client, first),
      other.refresh(client, second),
    ]);
    const [retry, use] = round % 2 === 0 ? answers : answers.toReversed();
    expect(use?.status).toBe(200);
    const row = await grantRow(server.database, id);
    expect([
      { status: 200, token: successor, seq: 2, reason: null },
      { status: 400, token: "undefined", seq: 2, reason: "reuse" },
    ]).toContainEqual({
      status: retry?.status,
      token: refreshTokenOf(retry as Answer),
      seq: row?.seq,
      reason: row?.revoke_reason,
    });
  }
});

test("R11: revocation racing the first use, at two servers: revoked for good, never a 500", async () => {
  const store = createGrantsStore(database, { newsSeconds: 3900 });
  for (let round = 0; round < 40; round++) {
    const { id, token } = await openGrant(server, client);
    const { expiresAt } = readToken(token).grant;
    const revoke = (): Promise<unknown> =>
      store.revoke({ grantId: id, clientId: client.clientId, expiresAt });
    const first = round % 2 === 0 ? revoke() : undefined;
    const answers = refreshAtOnce(token, 4);
    await (first ?? revoke());
    for (const { status, body } of await answers) {
      expect([
        [200, undefined],
        [400, "invalid_grant"],
      ]).toContainEqual([status, body["error"]]);
    }
    expect(await grantRow(server.database, id)).toMatchObject({ revoke_reason: "revoked" });
    for (const answer of await refreshAtOnce(token, 2)) expectRefused(answer);
  }
});

test("R11: an old number racing the newest: the grant ends revoked, never a 500", async () => {
  for (let round = 0; round < 20; round++) {
    const { id, token } = await openGrant(server, client);
    const second = await rotate(server, client, token);
    const newest = await rotate(other, client, second);
    const answers = await Promise.all([
      server.refresh(client, newest),
      other.refresh(client, token),
      other.refresh(client, newest),
      server.refresh(client, token),
    ]);
    for (const { status } of answers) expect([200, 400]).toContain(status);
    expect(await grantRow(server.database, id)).toMatchObject({ revoke_reason: "reuse" });
    expectRefused(await server.refresh(client, newest));
  }
});

test("R10: the thief uses a stolen token first, the owner comes a minute later: both are out", async () => {
  const { id, token } = await openGrant(server, client);
  const thiefs = await rotate(other, client, token);
  await ageRotation(server.database, id, 61);
  expectRefused(await server.refresh(client, token));
  expectRefused(await other.refresh(client, thiefs));
});

test("R10: the owner goes on, the thief comes with what it stole: both are out", async () => {
  const { token } = await openGrant(server, client);
  const second = await rotate(server, client, token);
  const owners = await rotate(server, client, second);
  expectRefused(await other.refresh(client, token));
  expectRefused(await server.refresh(client, owners));
});

test("R10: within a minute of each other every time, the thief is not noticed (documented)", async () => {
  const { id, token } = await openGrant(server, client);
  let [owners, thiefs] = [token, token];
  for (let round = 1; round <= 5; round++) {
    owners = await rotate(server, client, owners);
    await ageRotation(server.database, id, 50);
    thiefs = await rotate(other, client, thiefs);
    expect(readToken(thiefs).seq).toBe(round);
  }
  await rotate(server, client, owners);
  await ageRotation(server.database, id, 61);
  expectRefused(await other.refresh(client, thiefs));
});

test("R12: 1,000 refreshes of four grants leave four rows", async () => {
  const before = await rowCount();
  const grants = await Promise.all(Array.from({ length: 4 }, () => openGrant(server, client)));
  await Promise.all(
    grants.map(async ({ id, token }) => {
      let newest = token;
      for (let i = 0; i < 250; i++) newest = await rotate(i % 2 ? server : other, client, newest);
      expect(await grantRow(server.database, id)).toMatchObject({ seq: 250 });
    }),
  );
  expect(await rowCount()).toBe(before + 4);
});

async function rowCount(): Promise<number> {
  const [row] = await server.database.query<{ count: number }>(
    "select count(*)::int from daykey.grants",
  );
  return row?.count ?? 0;
}
