/** What must hold across processes: no state of one server decides. */
import { hashPrimitives } from "@daykey/auth-server/clients/verifiers";
import { dayKey } from "@daykey/common/secret-hash";
import { formatDay, dayOf } from "@daykey/common/clock";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TokenAnswer } from "../test/auth-server-pair.ts";
import { sleep } from "../test/stack.ts";
import { startTwoServers, type TwoServers } from "../test/two-servers.ts";

const ROUNDS = 300;
const PARALLEL = 8;

let servers: TwoServers;
beforeAll(async () => {
  servers = await startTwoServers();
});
afterAll(() => servers.stop());

async function open(): Promise<string> {
  const { body } = await servers.authenticated(0, { grant_type: "client_credentials" });
  return String(body["refresh_token"]);
}

const refresh = (server: number, refresh_token = ""): Promise<TokenAnswer> =>
  servers.authenticated(server, { grant_type: "refresh_token", refresh_token });

/** The answers of `PARALLEL` requests at once, spread over both servers. */
function atOnce(request: (server: number) => Promise<TokenAnswer>): Promise<TokenAnswer[]> {
  return Promise.all(Array.from({ length: PARALLEL }, (_, i) => request(i % 2)));
}

test(`R1, R11: of ${PARALLEL} refreshes at once over two processes one rotates and seven retry, ${ROUNDS} times`, async () => {
  let token = await open();
  for (let round = 1; round <= ROUNDS; round++) {
    const answers = await atOnce((server) => refresh(server, token));
    expect(answers.map(({ status }) => status)).toEqual(Array(PARALLEL).fill(200));
    const successors = new Set(answers.map(({ body }) => body["refresh_token"]));
    expect(successors.size).toBe(1);
    [token = ""] = successors;
  }
  const rows = await servers.query<{ seq: number }>("select seq from daykey.grants");
  expect(rows).toEqual([{ seq: ROUNDS }]);
}, 120_000);

test(`C8: a one-time hash is accepted once, by ${PARALLEL} requests at once over two processes, ${ROUNDS} times`, async () => {
  for (let round = 1; round <= ROUNDS; round++) {
    const form = await servers.oneTimeForm();
    const answers = await atOnce((server) => servers.token(server, form));
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([200, ...Array(PARALLEL - 1).fill(401)]);
  }
}, 120_000);

test("R4: used stays used across kill -9 of database and server; nothing acknowledged is lost", async () => {
  const used = await open();
  const { body } = await refresh(0, used);
  const { body: newest } = await refresh(1, body["refresh_token"]);
  servers.killPostgres();
  await Promise.all([servers.killServer(0), servers.killServer(1)]);
  await servers.startPostgres();
  await Promise.all([servers.startServer(0), servers.startServer(1)]);

  const retried = await refresh(1, body["refresh_token"]);
  expect(retried).toMatchObject({
    status: 200,
    body: { refresh_token: newest["refresh_token"] },
  });
  expect(await refresh(0, used)).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
  expect((await refresh(0, newest["refresh_token"])).status).toBe(400);
}, 60_000);

test("with PostgreSQL down a cached client gets tokens by the day form, a refresh is 503, and all recovers by itself", async () => {
  const token = await open();
  await servers.postgres().stop();

  expect((await servers.authenticated(0, { grant_type: "client_credentials" })).status).toBe(200);
  expect(await refresh(0, token)).toEqual({
    status: 503,
    body: {
      error: "temporarily_unavailable",
      error_description: "The server cannot answer now. Try again.",
    },
  });

  await servers.startPostgres();
  let status = 503;
  for (let tries = 0; status === 503 && tries < 100; tries++) {
    ({ status } = await refresh(0, token));
    await sleep(100);
  }
  expect(status).toBe(200);
}, 60_000);

test("C7, L1: neither the database nor any log holds the secret or a day key of its year", async () => {
  const { client_secret, salt } = servers.demo;
  const secrets = [client_secret, client_secret.slice(13, 56)];
  const today = dayOf(Date.now() / 1000);
  for (let day = today - 1; day < today + 400; day++) {
    const key = await dayKey(hashPrimitives, client_secret, salt, formatDay(day));
    secrets.push(Buffer.from(key).toString("hex"), Buffer.from(key).toString("base64"));
  }
  const tables = await servers.query<{ name: string }>(
    "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'daykey'",
  );
  let dump = await servers.logs();
  for (const { name } of tables) {
    // A bytea reads as hex in a row's text.
    const rows = await servers.query<{ text: string }>(`select t::text as text from ${name} t`);
    dump += rows.map(({ text }) => text).join("\n");
  }
  expect(dump.length).toBeGreaterThan(20_000);
  expect(secrets.filter((secret) => dump.includes(secret))).toEqual([]);
});
