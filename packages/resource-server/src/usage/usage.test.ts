/** Usage as the auth-server is told it: nothing twice, nothing lost but in a crash. */
import type { RequestListener } from "node:http";
import { afterEach, expect, test } from "vitest";
import {
  CLIENT,
  type Options,
  RESOURCE,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";
import { until } from "../../test/until.ts";

let api: TestResourceServer;
afterEach(() => api.stop());

async function start(usageSeconds: number, options: Options = {}): Promise<void> {
  api = await startResourceServer({ usageSeconds, ...options });
}

const bodies = () => api.authServer.reports.map(({ body }) => body);
const status =
  (code: number): RequestListener =>
  (_req, res) =>
    res.writeHead(code).end();

const count = (scope: string, served: number, refused = 0, client_id = CLIENT) => ({
  client_id,
  day: "2026-11-21",
  scope,
  served,
  refused,
});

test("what was let in and what a quota refused is told, by client, day and scope, at the end at the latest", async () => {
  await start(3600);
  const quota = [{ limit: 1, window: "day", scope: "primes:check" }];
  const token = api.token({ claims: { quota } });
  for (const path of ["/time", "/time?zone=nowhere", "/primes/7", "/primes/7", "/primes/7"]) {
    await api.request(`GET ${path}`, { token });
  }
  await api.time(api.token({ claims: { client_id: "other", sub: "other" } }));
  await api.time(api.token({ claims: { scope: "other" } }));
  await api.time("x");
  await api.request("GET /time");
  expect(bodies()).toEqual([]);
  await api.stop();
  expect(bodies()).toEqual([
    {
      reporter: expect.stringMatching(/^[\w-]{1,64}$/),
      seq: 1,
      resource: RESOURCE,
      counts: [
        count("time:read", 2),
        count("primes:check", 1, 2),
        count("time:read", 1, 0, "other"),
      ],
    },
  ]);
  const form = api.authServer.tokenForms.at(-1);
  expect(form).toMatchObject({ resource: "https://auth.example.test", scope: "introspect" });
});

test("nothing to tell is not told; the day is that of the request", async () => {
  await start(0.02);
  await api.time(api.token());
  await until("it is told", () => bodies().length === 1);
  api.advance(86_400);
  await api.time(api.token());
  await until("it is told", () => bodies().length === 2);
  expect(bodies().map(({ seq, counts }) => [seq, counts])).toEqual([
    [1, [count("time:read", 1)]],
    [2, [{ ...count("time:read", 1), day: "2026-11-22" }]],
  ]);
  // One token for both.
  expect(new Set(api.authServer.reports.map(({ token }) => token)).size).toBe(1);
});

test("a report that was not acknowledged is sent again as it is, and what came meanwhile after it", async () => {
  const refusals: Record<string, RequestListener> = {
    "503": status(503),
    "401": status(401),
    "403": status(403),
    "429": status(429),
    "200": status(200),
    "a cut": (req) => req.socket.destroy(),
  };
  await start(0.02);
  let seq = 0;
  for (const [name, refusal] of Object.entries(refusals)) {
    api.authServer.reports.length = 0;
    api.authServer.answerUsage(refusal);
    await api.time(api.token());
    await until("it was told twice", () => bodies().length >= 2);
    await api.request("GET /primes/7", { token: api.token() });
    api.authServer.answerUsage(undefined);
    await until("all is told", () => bodies().some((body) => body.seq === seq + 2));
    const told = Object.fromEntries(bodies().map((body) => [body.seq, body.counts]));
    expect(told, name).toEqual({
      [seq + 1]: [count("time:read", 1)],
      [seq + 2]: [count("primes:check", 1)],
    });
    for (const body of bodies().filter((each) => each.seq === seq + 1)) {
      expect(body, name).toEqual(bodies()[0]);
    }
    seq += 2;
  }
  expect(api.lines.filter(({ event }) => event === "usage_unreported").length).toBe(1);
});

test("a report that is refused for what it is does not hold up the next", async () => {
  await start(0.02);
  api.authServer.answerUsage(status(400));
  await api.time(api.token());
  await until("it is told", () => bodies().length === 1);
  api.authServer.answerUsage(undefined);
  await api.time(api.token());
  await until("the next is told", () => bodies().length === 2);
  expect(bodies().map(({ seq }) => seq)).toEqual([1, 2]);
  expect(api.lines.filter(({ event }) => event === "usage_refused").length).toBe(1);
});

test("a server stops though nobody takes its report", async () => {
  await start(3600);
  api.authServer.answerUsage(() => {});
  await api.time(api.token());
  await api.stop();
  expect(bodies().length).toBe(1);
});
