/** Quotas on issuing: exact over instances, charged last, and nothing for who has none. */
import { TOKEN_EXCHANGE_GRANT, TOKEN_TYPES } from "@daykey/common/protocol";
import type { Quota } from "@daykey/common/quota";
import { machineTool } from "@daykey/service/test/machine-tool";
import { scrape } from "@daykey/service/test/metrics";
import { type RedisServer, startRedis } from "@daykey/service/test/redis-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestAdmin, type TestAdmin } from "../../test/admin.ts";
import {
  type Answer,
  ISSUER,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";
import { ANY_TOKEN } from "../../test/exchange.ts";

const day = (limit: number): Quota => ({ limit, window: "day" });
const program = machineTool("redis-server");

let first: TestAuthServer;
let second: TestAuthServer;
let admin: TestAdmin;
beforeAll(async () => {
  const config = { tokenExchange: true };
  first = await startAuthServer({ config });
  second = await startAuthServer({ config, database: first.database });
  admin = await createTestAdmin(first);
});
afterAll(async () => {
  await second.stop();
  await first.stop();
});

const withQuotas = async (...tokenQuotas: Quota[]): Promise<TestClient> =>
  first.createClient({
    tokenQuotas,
    grantTypes: ["client_credentials", "refresh_token", TOKEN_EXCHANGE_GRANT],
    exchange: ANY_TOKEN,
  });

const reasonOf = (at: TestAuthServer, { headers }: Answer): unknown =>
  at.lines.find(({ requestId }) => requestId === headers.get("x-request-id"))?.["reason"];

async function usedBy({ clientId }: TestClient): Promise<number> {
  const [row] = await first.database.query<{ used: number }>(
    `select coalesce(sum(used), 0)::int as used from daykey.quota_counters
     where counter like '{${clientId}}%'`,
  );
  return row?.used ?? NaN;
}

/** Requests of one client at two servers, all at once. */
async function atOnce(
  servers: readonly TestAuthServer[],
  client: TestClient,
  count: number,
): Promise<number[]> {
  const client_secret_hash = await first.dayForm(client);
  const form = { grant_type: "client_credentials", client_id: client.clientId, client_secret_hash };
  const requests = Array.from({ length: count }, (_, i) => {
    const server = servers[i % servers.length] as TestAuthServer;
    return server.token(form);
  });
  return (await Promise.all(requests)).map(({ status }) => status).toSorted((a, b) => a - b);
}

const statuses = (issued: number, refused: number): number[] => [
  ...Array<number>(issued).fill(200),
  ...Array<number>(refused).fill(429),
];

test("T21: of 60 at once over two servers a quota of 7 admits 7, by PostgreSQL", async () => {
  const client = await withQuotas(day(7), { limit: 1000, window: "hour" });
  expect(await atOnce([first, second], client, 60)).toEqual(statuses(7, 53));
  expect(await usedBy(client)).toBe(14);
  expect(await atOnce([second, first], client, 4)).toEqual(statuses(0, 4));
});

describe.skipIf(program === undefined)("REDIS_URL", () => {
  let redis: RedisServer;
  let pair: TestAuthServer[];
  beforeAll(async () => {
    redis = await startRedis(program ?? "");
    const options = { config: { redisUrl: redis.url }, database: first.database };
    pair = [await startAuthServer(options), await startAuthServer(options)];
  });
  afterAll(async () => {
    await Promise.all((pair ?? []).map((server) => server.stop()));
    await redis?.kill();
  });

  test("T21: of 60 at once over two servers a quota of 7 admits 7, and PostgreSQL has no row", async () => {
    const client = await withQuotas(day(7), { limit: 1000, window: "hour" });
    expect(await atOnce(pair, client, 60)).toEqual(statuses(7, 53));
    expect(await usedBy(client)).toBe(0);
  });
});

test("T21: a client without a quota is counted nowhere, and is told of none", async () => {
  const client = await first.createClient();
  const answer = await first.clientCredentials(client);
  expect([answer.status, answer.headers.get("ratelimit-policy")]).toEqual([200, null]);
  expect(await usedBy(client)).toBe(0);
});

test("the answer tells the policies and what is left; a refusal when to come again", async () => {
  const client = await withQuotas(day(2), { limit: 9, window: "hour" });
  for (const used of [1, 2]) {
    const { status, headers } = await first.clientCredentials(client);
    expect(status).toBe(200);
    expect(headers.get("ratelimit-policy")).toBe('"day";q=2;w=86400, "hour";q=9;w=3600');
    expect(headers.get("ratelimit")).toMatch(
      new RegExp(`^"day";r=${2 - used};t=\\d{1,5}, "hour";r=${9 - used};t=\\d{1,4}$`),
    );
  }
  const refused = await first.clientCredentials(client);
  expect(refused).toMatchObject({
    status: 429,
    body: {
      error: "slow_down",
      error_description:
        "The client's quota of tokens is used up. Try again after the seconds in Retry-After.",
    },
  });
  const wait = Number(refused.headers.get("retry-after"));
  expect(wait).toBeGreaterThan(0);
  expect(refused.headers.get("ratelimit")).toBe(`"day";r=0;t=${wait}`);
  expect(reasonOf(first, refused)).toBe("token_quota_exceeded");
});

test("T22: each grant type counts, and what is refused otherwise costs nothing", async () => {
  const client = await withQuotas(day(4));
  const bad = [
    () => first.clientCredentials(client, { scope: "unknown" }),
    () => first.clientCredentials(client, { resource: "https://unknown.example" }),
    () => first.clientCredentials(client, { client_secret_hash: "0".repeat(64) }),
    () => first.clientCredentials(client, { grant_type: "password" }),
    () => first.refresh(client, "dkr1.unknown"),
  ];
  for (const request of bad) expect((await request()).status).toBeLessThan(402);
  const issued = await first.clientCredentials(client);
  const refreshed = await second.refresh(client, issued.body["refresh_token"]);
  const exchange = {
    grant_type: TOKEN_EXCHANGE_GRANT,
    subject_token: String(issued.body["access_token"]),
    subject_token_type: TOKEN_TYPES.accessToken,
  };
  const exchanged = await first.clientCredentials(client, exchange);
  const client_secret_hash = await first.oneTime(client);
  const once = await first.clientCredentials(client, { client_secret_hash });
  for (const { status, text } of [issued, refreshed, exchanged, once]) {
    expect(status, text).toBe(200);
  }
  expect(await usedBy(client)).toBe(4);
  for (const request of [
    () => first.clientCredentials(client),
    () => first.clientCredentials(client, exchange),
    () => second.refresh(client, refreshed.body["refresh_token"]),
  ]) {
    expect((await request()).status).toBe(429);
  }
});

test("T22: a refresh token that a quota refused is good when there is room again", async () => {
  const client = await withQuotas(day(1));
  const { body } = await first.clientCredentials(client);
  expect((await first.refresh(client, body["refresh_token"])).status).toBe(429);
  const grants = `select 1 from daykey.grants where client_id = '${client.clientId}'`;
  expect(await first.database.query(grants)).toEqual([]);
  const path = `/clients/${client.clientId}`;
  const { etag } = await admin.get(path);
  const token_quotas = [{ limit: 2, window: "day" }];
  await admin.call("PATCH", path, { token_quotas }, { "if-match": etag });
  await first.look();
  expect((await first.refresh(client, body["refresh_token"])).status).toBe(200);
  expect((await first.refresh(client, body["refresh_token"])).status).toBe(429);
});

test("QUOTA_MODE=log issues what it would refuse, and says so in log and metrics alone", async () => {
  const config = { quota: { mode: "log", storeDown: "memory" } } as const;
  const server = await startAuthServer({ config, database: first.database });
  try {
    const client = await withQuotas(day(1));
    const answers = [
      await server.clientCredentials(client),
      await server.clientCredentials(client),
    ];
    const told = answers.map(({ status, headers }) => [status, headers.get("ratelimit")]);
    expect(told).toEqual([
      [200, null],
      [200, null],
    ]);
    const id = answers[1]?.headers.get("x-request-id");
    expect(server.lines.find(({ requestId }) => requestId === id)).toMatchObject({
      quota: "would_refuse",
      outcome: "issued",
    });
    expect((await scrape(server.privateUrl)).values("quota_decisions_total")).toEqual({
      '{decision="admitted"}': 1,
      '{decision="would_refuse"}': 1,
      '{decision="store_down"}': 0,
    });
  } finally {
    await server.stop();
  }
});

test("usage shows the tokens of clients with a quota, once, when the server that counted has written", async () => {
  const server = await startAuthServer({ database: first.database });
  const client = await withQuotas(day(2));
  for (let n = 0; n < 3; n++) await server.clientCredentials(client);
  await server.clientCredentials(await first.createClient());
  await server.stop();
  const { body } = await admin.get(`/usage?client_id=${client.clientId}`);
  expect(body).toMatchObject({
    items: [
      { resource: ISSUER, client_id: client.clientId, scope: "tokens", served: 2, refused: 1 },
    ],
  });
  const all = await admin.get("/usage?limit=200");
  const rows = (all.body as { items: { scope: string; client_id: string }[] }).items;
  expect(rows.filter(({ client_id }) => client_id === client.clientId)).toHaveLength(1);
});

test("while the store is down each process counts for itself, or by setting nobody with a quota is served", async () => {
  const config = { quota: { mode: "enforce", storeDown: "refuse" } } as const;
  const strict = await startAuthServer({ config, database: first.database });
  const client = await withQuotas(day(2));
  const free = await first.createClient();
  await first.database.query("alter table daykey.quota_counters rename to quota_counters_away");
  try {
    expect(await atOnce([first], client, 5)).toEqual(statuses(2, 3));
    const refused = await strict.clientCredentials(client);
    expect(refused).toMatchObject({ status: 503, body: { error: "temporarily_unavailable" } });
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(reasonOf(strict, refused)).toBe("quota_store_down");
    expect((await strict.clientCredentials(free)).status).toBe(200);
    const { values } = await scrape(first.privateUrl);
    expect(values("quota_decisions_total")).toMatchObject({ '{decision="store_down"}': 5 });
  } finally {
    await first.database.query("alter table daykey.quota_counters_away rename to quota_counters");
    await strict.stop();
  }
});
