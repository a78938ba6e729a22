/** Usage: reports that may come twice, and what an operator sees of them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { DAY_SECONDS, formatDate } from "@daykey/common/clock";
import { createDatabase } from "@daykey/service/database/database";
import { createTestLog } from "@daykey/service/test/log";
import { type AccessKeyBench, startAccessKeyBench } from "../../test/access-keys.ts";
import { API, ISSUER, OTHER_API, type TestClient } from "../../test/auth-server.ts";
import type { Json } from "../../test/openapi.ts";
import { createUsageStore } from "./usage-store.ts";

let bench: AccessKeyBench;
let token: string;
let client: TestClient;
beforeAll(async () => {
  bench = await startAccessKeyBench();
  token = await tokenOf(bench.owner);
  client = await bench.server.createClient();
});
afterAll(() => bench.server.stop());

async function tokenOf(caller: TestClient, form = {}): Promise<string> {
  return String((await bench.server.clientCredentials(caller, form)).body["access_token"]);
}

const today = (): string => formatDate(bench.server.now());

interface Sent {
  status: number;
  text: string;
}

async function send(body: unknown, bearer = token, headers = {}): Promise<Sent> {
  const response = await fetch(`${bench.server.url}/usage`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(bearer !== "" && { authorization: `Bearer ${bearer}` }),
      ...headers,
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

const count = (part = {}) => ({
  client_id: client.clientId,
  day: today(),
  scope: "time:read",
  served: 3,
  refused: 1,
  ...part,
});

let reporters = 0;
const report = (part = {}) => ({ reporter: `r${++reporters}`, seq: 1, counts: [count()], ...part });

async function usageOf(clientId: string, query = ""): Promise<Json[]> {
  const { status, body } = await bench.admin.get(`/usage?client_id=${clientId}${query}`);
  expect(status).toBe(200);
  return body.items;
}

test("a report is counted once, however often and in whatever company it comes", async () => {
  client = await bench.server.createClient();
  const first = report({
    counts: [count(), count(), count({ scope: "primes:check", served: 0, refused: 9 })],
  });
  const answers = await Promise.all(Array.from({ length: 5 }, () => send(first)));
  expect(answers).toEqual(Array.from({ length: 5 }, () => ({ status: 204, text: "" })));
  await send({ ...first, seq: 2, counts: [count({ served: 100 })] });
  await send({ ...first, seq: 1, counts: [count({ served: 1000 })] });
  await send(report({ counts: [count({ served: 10_000 })] }));
  const rest = { day: today(), client_id: client.clientId, resource: API };
  expect((await usageOf(client.clientId)).toSorted((a, b) => b.served - a.served)).toEqual([
    { ...rest, scope: "time:read", served: 10_106, refused: 4 },
    { ...rest, scope: "primes:check", served: 0, refused: 9 },
  ]);
});

test("what is of no client, or of a day that is not kept, is left out", async () => {
  client = await bench.server.createClient();
  const days = [-401, -400, 1, 2].map((n) => formatDate(bench.server.now() + n * DAY_SECONDS));
  const counts = [...days.map((day) => count({ day })), count({ client_id: "nobody" })];
  expect((await send(report({ counts }))).status).toBe(204);
  const kept = await usageOf(client.clientId);
  expect(kept.map(({ day }) => day)).toEqual([days[2], days[1]]);
  expect(await usageOf("nobody")).toEqual([]);
});

test("a count stops where JSON is no longer exact, and nothing overflows", async () => {
  client = await bench.server.createClient();
  await send(report({ counts: [count()] }));
  await bench.server.database.query(
    "update daykey.usage set served = $2, refused = $2 where client_id = $1",
    [client.clientId, Number.MAX_SAFE_INTEGER - 1],
  );
  const most = Array.from({ length: 1000 }, () => count({ served: 1e12, refused: 1e12 }));
  expect((await send(report({ counts: most }))).status).toBe(204);
  expect(await usageOf(client.clientId)).toMatchObject([
    { served: Number.MAX_SAFE_INTEGER, refused: Number.MAX_SAFE_INTEGER },
  ]);
});

test("pages: the newest day first, by client, resource and days", async () => {
  client = await bench.server.createClient();
  const days = [0, 1, 2, 3].map((n) => formatDate(bench.server.now() - n * DAY_SECONDS));
  const counts = days.flatMap((day) => [count({ day }), count({ day, scope: "primes:check" })]);
  await send(report({ counts }));
  const seen: string[] = [];
  let next = "";
  do {
    const { body } = await bench.admin.get(`/usage?client_id=${client.clientId}&limit=3${next}`);
    seen.push(...body.items.map(({ day, scope }: Json) => `${day} ${scope}`));
    next = body.next_cursor === null ? "" : `&cursor=${body.next_cursor}`;
  } while (next !== "");
  expect([seen.length, new Set(seen).size]).toEqual([8, 8]);
  expect(seen.map((line) => line.slice(0, 10))).toEqual(days.flatMap((day) => [day, day]));
  const between = await usageOf(client.clientId, `&from=${days[2]}&to=${days[1]}`);
  expect(between.length).toBe(4);
  expect(await usageOf(client.clientId, `&resource=${encodeURIComponent(OTHER_API)}`)).toEqual([]);
  for (const query of [
    "from=2026-02-30",
    "to=0000-01-01",
    "to=x",
    "client_id=-x",
    "client_id=a'--",
    "limit=0",
    "cursor=AAAA",
    `cursor=${Buffer.from("usage 2026-02-30 1").toString("base64url")}`,
    "unknown=1",
  ]) {
    expect((await bench.admin.get(`/usage?${query}`)).status, query).toBe(400);
  }
});

test("only the owner of a resource reports, with the scope, and for that resource", async () => {
  expect((await send(report(), "")).status).toBe(401);
  expect((await send(report(), await tokenOf(client))).status).toBe(401);
  const both = { scopes: ["introspect", "revocations:read"], resources: [ISSUER] };
  const other = await bench.server.createClient(both);
  const narrow = await tokenOf(other, { scope: "revocations:read" });
  expect((await send(report(), narrow)).status).toBe(403);
  for (const part of [{}, { resource: API }]) {
    const { status, text } = await send(report(part), await tokenOf(other));
    expect([status, JSON.parse(text).error]).toEqual([400, "invalid_target"]);
  }
  expect((await send(report({ resource: OTHER_API }))).status).toBe(400);
  expect((await send(report({ resource: API }))).status).toBe(204);
});

test("a report that is none is 400, and leaves no trace", async () => {
  client = await bench.server.createClient();
  const bad: unknown[] = [
    "",
    "{",
    "[]",
    "null",
    `{"reporter":"a","reporter":"b","seq":1,"counts":[]}`,
    report({ reporter: "" }),
    report({ reporter: "x".repeat(65) }),
    report({ reporter: "a b" }),
    report({ seq: -1 }),
    report({ seq: 1.5 }),
    report({ seq: "1" }),
    report({ unknown: 1 }),
    report({ __proto__: null, counts: {} }),
    report({ counts: Array.from({ length: 1001 }, () => count()) }),
    ...[
      { client_id: "" },
      { client_id: "a b" },
      { day: "2026-02-30" },
      { day: "0000-01-01" },
      { day: "x" },
      { scope: "" },
      { scope: "a b" },
      { scope: "\u0000" },
      { scope: "x".repeat(201) },
      { served: -1 },
      { served: 1e13 },
      { served: 0.5 },
      { served: JSON.rawJSON("1e400000") },
      { refused: null },
      { extra: 1 },
    ].map((part) => report({ counts: [count(part)] })),
  ];
  for (const body of bad) {
    const { status } = await send(body);
    expect([400, 413], JSON.stringify(body)).toContain(status);
  }
  expect((await send(" ".repeat(524_289))).status).toBe(413);
  expect((await send(report(), token, { "content-type": "text/plain" })).status).toBe(415);
  expect(await usageOf(client.clientId)).toEqual([]);
});

test("what is older than 400 days, and a reporter silent for a week, are cleaned by range", async () => {
  const { log } = createTestLog();
  const database = createDatabase({ connectionString: bench.server.database.appUrl, log });
  const usage = createUsageStore(database, { issuer: ISSUER });
  await send(report({ reporter: "silent" }));
  await bench.server.database.query("update daykey.usage set day = day - 401 where day < now()");
  await bench.server.database.query(
    "update daykey.usage_reporters set expires_at = now() - interval '1 s' where reporter = 'silent'",
  );
  await usage.clean();
  await database.close();
  const [left] = await bench.server.database.query<{ days: number; reporters: number }>(
    `select (select count(*)::int from daykey.usage where day < now() - interval '401 days') as days,
       (select count(*)::int from daykey.usage_reporters where reporter = 'silent') as reporters`,
  );
  expect(left).toEqual({ days: 0, reporters: 0 });
});
