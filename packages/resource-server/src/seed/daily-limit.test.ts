/** The article's limit: five calls a day for each key, over both of its routes, and on no other. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createApiKey, keyAnswer } from "../../test/api-key.ts";
import { sendJson } from "../../test/auth-server.ts";
import { startResourceServer, type TestResourceServer } from "../../test/resource-server.ts";

const EXCEEDED = '{"error":"Request limit exceeded. Please try again later."}';

let api: TestResourceServer;
beforeAll(async () => {
  const stalePolicy = { kind: "allow", seconds: 99_999 } as const;
  api = await startResourceServer({ config: { seedDailyLimit: 5, stalePolicy } });
});
afterAll(() => api.stop());

const time = (headers: Record<string, string>) =>
  api.request("POST /get-current-time", { headers });
const prime = (headers: Record<string, string>) =>
  api.request("POST /check-prime", {
    headers: { ...headers, "Content-Type": "application/json" },
    body: '{"number": 97}',
  });
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

test("five calls of one key in all, then 429 in the article's words, and when to come again", async () => {
  const headers = bearer(api.token({ claims: { cred: "aaaaaaaa" } }));
  const statuses = [];
  for (const call of [time, prime, prime, time, prime]) statuses.push((await call(headers)).status);
  expect(statuses).toEqual([200, 200, 200, 200, 200]);
  for (const call of [time, prime]) {
    const { status, text, headers: told } = await call(headers);
    expect([status, text]).toEqual([429, EXCEEDED]);
    expect(told["ratelimit-policy"]).toBe('"articles day";q=5;w=86400');
    expect(told["ratelimit"]).toMatch(/^"articles day";r=0;t=\d+$/);
    expect(Number(told["retry-after"])).toBeGreaterThan(0);
  }
  // Midnight was 12 hours before the clock of these tests.
  api.advance(12 * 3600 + 1);
  api.pass(12 * 3600 + 1);
  const again = bearer(api.token({ claims: { cred: "aaaaaaaa" } }));
  expect((await time(again)).status).toBe(200);
});

test("another key, and the other routes, are not touched by it", async () => {
  const headers = bearer(api.token({ claims: { cred: "bbbbbbbb" } }));
  for (let i = 0; i < 6; i++) await time(headers);
  expect((await time(headers)).status).toBe(429);
  const { status, headers: told } = await api.request("GET /time", { headers });
  expect([status, told["ratelimit-policy"]]).toEqual([200, undefined]);
  expect((await time(bearer(api.token({ claims: { cred: "cccccccc" } })))).status).toBe(200);
});

test("what is refused before counts nothing", async () => {
  const claims = { cred: "dddddddd", scope: "other" };
  for (let i = 0; i < 6; i++) await time(bearer(api.token({ claims })));
  const { status } = await time(bearer(api.token({ claims: { cred: "dddddddd" } })));
  expect(status).toBe(200);
});

test("V11: fifty at once by one API key admit five; the client's own quota counts beside it", async () => {
  const key = createApiKey();
  const quota = [{ limit: 7, window: "day" }] as const;
  api.authServer.answerIntrospection((_req, res) => sendJson(res, keyAnswer(key, { quota })));
  const headers = { "X-Api-Key": key };
  const answers = await Promise.all(Array.from({ length: 50 }, () => prime(headers)));
  const by = Object.groupBy(answers, ({ status }) => String(status));
  expect([by["200"]?.length, by["429"]?.length]).toEqual([5, 45]);
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await api.request("GET /time", { headers })).status);
  expect(statuses).toEqual([200, 200, 429]);
});
