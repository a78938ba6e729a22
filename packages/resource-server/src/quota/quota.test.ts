/** Quotas, counted in PostgreSQL: what is admitted, what the caller is told, what happens without it. */
import type { Quota } from "@daykey/common/quota";
import { createTestDatabase, type TestDatabase } from "@daykey/service/test/database";
import { scrape } from "@daykey/service/test/metrics";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createApiKey, keyAnswer } from "../../test/api-key.ts";
import { sendJson } from "../../test/auth-server.ts";
import {
  type Answer,
  type Options,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";
import type { QuotaSettings } from "@daykey/guard/quota/charge";

let database: TestDatabase;
let apis: TestResourceServer[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(apis.map((api) => api.stop()));
  apis = [];
  await database.query("truncate daykey_resource.quota_counters");
});
afterAll(() => database.drop());

async function start(quota: Partial<QuotaSettings> = {}): Promise<TestResourceServer> {
  const config: Options["config"] = {
    store: { kind: "postgresql", url: database.resourceUrl, pool: 2, preparedStatements: true },
    quota: { mode: "enforce", storeDown: "memory", ...quota },
    stalePolicy: { kind: "allow", seconds: 99_999 },
  };
  const api = await startResourceServer({ config });
  apis.push(api);
  return api;
}

/** A token of the client `billing-cron` with these quotas. */
const tokenOf = (api: TestResourceServer, ...quota: Quota[]) => api.token({ claims: { quota } });

async function counters(): Promise<Record<string, number>> {
  const rows = await database.query<{ counter: string; used: string }>(
    "select counter, used from daykey_resource.quota_counters",
  );
  return Object.fromEntries(rows.map(({ counter, used }) => [counter, Number(used)]));
}

const tally = (answers: readonly Answer[]) =>
  Object.groupBy(answers, ({ status }) => String(status));

const DAY_5 = { limit: 5, window: "day" } as const;

test("V11: of 50 parallel calls over two servers a limit of 5 admits 5, also after a restart of both", async () => {
  const pair = [await start(), await start()];
  const calls = Array.from({ length: 50 }, (_, index) => {
    const api = pair[index % 2] as TestResourceServer;
    return api.time(tokenOf(api, DAY_5));
  });
  const by = tally(await Promise.all(calls));
  expect([by["200"]?.length, by["429"]?.length]).toEqual([5, 45]);

  await Promise.all(pair.map((api) => api.stop()));
  apis = [];
  for (const api of [await start(), await start()]) {
    expect((await api.time(tokenOf(api, DAY_5))).status).toBe(429);
  }
  expect(await counters()).toEqual({ "{billing-cron} day": 5 });
});

test("the answer tells the policies and what is left; a refusal when to come again", async () => {
  const api = await start();
  const token = tokenOf(
    api,
    { limit: 2, window: "day" },
    { limit: 9, window: "hour", scope: "time:read" },
    { limit: 1, window: "day", scope: "primes:check" },
  );
  const policy = '"day";q=2;w=86400, "hour time:read";q=9;w=3600';
  const left = (day: number, hour: number) =>
    new RegExp(`^"day";r=${day};t=\\d{1,5}, "hour time:read";r=${hour};t=\\d{1,4}$`);
  for (const used of [1, 2]) {
    const { status, headers } = await api.time(token);
    expect(status).toBe(200);
    expect(headers["ratelimit-policy"]).toBe(policy);
    expect(headers["ratelimit"]).toMatch(left(2 - used, 9 - used));
  }
  const refused = await api.time(token);
  expect(refused).toMatchObject({
    status: 429,
    headers: { "ratelimit-policy": policy, "content-type": "application/problem+json" },
    body: {
      type: "urn:daykey:problem:quota-exceeded",
      title: "The quota is used up",
      status: 429,
      detail: "Try again after the seconds in Retry-After.",
    },
  });
  const wait = Number(refused.headers["retry-after"]);
  // Known to be full, the day was not asked about, and so neither the hour.
  expect(refused.headers["ratelimit"]).toBe(`"day";r=0;t=${wait}`);
  // The day ends at midnight UTC by the database's clock.
  const [row] = await database.query<{ left: number }>(
    "select (86400 - extract(epoch from now()) % 86400)::float8 as left",
  );
  expect(Math.abs(wait - (row?.left ?? 0))).toBeLessThan(60);
  expect(api.lines.at(-1)).toMatchObject({ reason: "quota_exceeded", client: "billing-cron" });
  expect(await counters()).toEqual({ "{billing-cron} day": 2, "{billing-cron} hour time:read": 2 });
  expect((await api.request("GET /primes/7", { token })).status).toBe(429);
  // The article's sentence, on its own routes (docs/protocol.md §4.9).
  const article = await api.request("POST /get-current-time", { token });
  expect([article.status, article.body, article.headers["retry-after"]]).toEqual([
    429,
    { error: "Request limit exceeded. Please try again later." },
    expect.stringMatching(/^\d+$/),
  ]);
});

test("the client's and the key's quotas are both charged, and a refused call costs neither", async () => {
  const api = await start();
  api.authServer.answerIntrospection((_req, res) => {
    const key = api.authServer.questions.at(-1)?.["token"] ?? "";
    const key_quota = [{ limit: 1, window: "hour" }];
    sendJson(res, keyAnswer(key, { quota: [DAY_5], key_quota }));
  });
  const keys = Array.from({ length: 7 }, createApiKey);
  const calls = keys.flatMap((key) =>
    [1, 2, 3, 4].map(() => api.request("GET /time", { headers: { "X-Api-Key": key } })),
  );
  const by = tally(await Promise.all(calls));
  expect([by["200"]?.length, by["429"]?.length]).toEqual([5, 23]);
  expect(by["200"]?.[0]?.headers["ratelimit-policy"]).toBe(
    '"day";q=5;w=86400, "key hour";q=1;w=3600',
  );
  const { "{billing-cron} day": day, ...rest } = await counters();
  expect(day).toBe(5);
  expect(Object.values(rest).filter((used) => used === 1).length).toBe(5);
});

test("V12: HEAD is charged as GET is; who is not let in, or lacks the scope, is not", async () => {
  const api = await start();
  const token = tokenOf(api, { limit: 2, window: "day" });
  for (const method of ["OPTIONS", "TRACE", "PUT", "PROPFIND"]) {
    await api.exchange(
      `${method} /time HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
    );
  }
  await api.request("GET /time", { token, headers: { "X-Api-Key": "x" } });
  await api.time(api.token({ claims: { quota: [DAY_5], scope: "other" } }));
  await api.time(api.token({ claims: { quota: [DAY_5], aud: "https://other.example" } }));
  await api.time(api.token());
  expect(await counters()).toEqual({});

  expect((await api.request("HEAD /time", { token })).status).toBe(200);
  // It is charged before the request is read.
  expect(await api.request("GET /time?zone=nowhere", { token })).toMatchObject({
    status: 400,
    headers: { "ratelimit-policy": '"day";q=2;w=86400' },
  });
  expect((await api.request("HEAD /time", { token })).status).toBe(429);
  expect(
    (await api.request("HEAD /time", { token: tokenOf(api, { limit: 0, window: "second" }) }))
      .status,
  ).toBe(429);
});

test("a window that is over is another; one that is full is not asked about before", async () => {
  const api = await start({ storeDown: "refuse" });
  const token = tokenOf(api, { limit: 1, window: "day" });
  expect((await api.time(token)).status).toBe(200);
  await database.query("update daykey_resource.quota_counters set starts_at = starts_at - 86400");
  expect((await api.time(token)).status).toBe(429);
  api.pass(86_400);
  expect((await api.time(token)).status).toBe(200);
  await database.query("alter function daykey_resource.charge rename to gone");
  expect((await api.time(token)).status).toBe(429);
  expect((await api.time(tokenOf(api, { limit: 3, window: "day" }))).status).toBe(503);
  await database.query("alter function daykey_resource.gone rename to charge");
});

test("without its store, memory counts or clients with a quota are refused; others notice nothing", async () => {
  const lenient = await start();
  const strict = await start({ storeDown: "refuse" });
  await database.query("alter function daykey_resource.charge rename to gone");
  const statuses = async (api: TestResourceServer, tokens: string[]) => {
    const found = [];
    for (const token of tokens) found.push((await api.time(token)).status);
    return found;
  };
  const limited = (api: TestResourceServer) =>
    [1, 2, 3].map(() => tokenOf(api, { limit: 2, window: "day" }));
  expect(await statuses(lenient, limited(lenient))).toEqual([200, 200, 429]);
  expect(await statuses(strict, limited(strict))).toEqual([503, 503, 503]);
  expect((await strict.time(tokenOf(strict, DAY_5))).body).toEqual({
    type: "urn:daykey:problem:quota-unavailable",
    title: "Quotas cannot be counted now",
    status: 503,
  });
  expect((await strict.time(strict.token())).status).toBe(200);
  for (const api of [lenient, strict]) {
    expect((await api.request("GET /readyz")).status).toBe(200);
    expect(api.lines.filter(({ event }) => event === "quota_store_down").length).toBe(1);
  }

  await database.query("alter function daykey_resource.gone rename to charge");
  for (const api of [lenient, strict]) api.pass(1);
  expect(await statuses(lenient, limited(lenient))).toEqual([200, 200, 429]);
  expect(await statuses(strict, limited(strict))).toEqual([429, 429, 429]);
});

test("QUOTA_MODE=log lets all through, and says in log and metrics whom it would refuse", async () => {
  const api = await start({ mode: "log" });
  const token = tokenOf(api, { limit: 1, window: "day" });
  for (const quota of [undefined, "would_refuse"]) {
    const { status, headers } = await api.time(token);
    expect([status, headers["ratelimit"]]).toEqual([200, undefined]);
    expect(api.lines.at(-1)?.["quota"]).toBe(quota);
  }
  expect((await scrape(api.privateUrl)).values("quota_decisions_total")).toEqual({
    '{decision="admitted"}': 1,
    '{decision="store_down"}': 0,
    '{decision="would_refuse"}': 1,
  });
});

test("decisions are counted, without saying whose", async () => {
  const api = await start();
  for (let call = 1; call <= 3; call++) await api.time(tokenOf(api, { limit: 1, window: "day" }));
  await api.time(api.token());
  expect((await scrape(api.privateUrl)).values("quota_decisions_total")).toEqual({
    '{decision="admitted"}': 1,
    '{decision="refused"}': 2,
    '{decision="store_down"}': 0,
  });
});
