/** Asking the auth-server about tokens (RFC 7662), as STALE_POLICY=introspect does. */
import type { RequestListener, ServerResponse } from "node:http";
import { afterAll, beforeEach, afterEach, expect, test } from "vitest";
import { sendJson } from "../../test/auth-server.ts";
import { startListening, statuses } from "../../test/feed.ts";
import { startHttpStub } from "../../test/issuer.ts";
import { INVALID_TOKEN, refusalOf, type TestResourceServer } from "../../test/resource-server.ts";
import { until } from "../../test/until.ts";

let api: TestResourceServer;
beforeEach(async () => {
  api = await startListening({ config: { stalePolicy: { kind: "introspect" } } });
  api.authServer.answerFeed((_req, res) => res.writeHead(503).end());
  api.pass(16);
});
afterEach(() => api.stop());

const elsewhere = await startHttpStub();
afterAll(() => elsewhere.stop());

const questions = (): number => api.authServer.questions.length;

/** What the auth-server says of the token it was asked about last. */
function claimsOf(token = api.authServer.questions.at(-1)?.["token"]): Record<string, unknown> {
  const payload = Buffer.from(token?.split(".")[1] ?? "", "base64url").toString();
  return { active: true, token_type: "Bearer", ...(JSON.parse(payload) as object) };
}

const active: RequestListener = (_req, res) => sendJson(res, claimsOf());
const inactive: RequestListener = (_req, res) => sendJson(res, { active: false });

test("an active token is not asked about again for 5 s; each question brings a proof of its own", async () => {
  api.authServer.answerIntrospection(active);
  const token = api.token();
  expect(await statuses(api, [token, token])).toEqual([200, 200]);
  api.pass(4.9);
  expect(await statuses(api, [token])).toEqual([200]);
  expect(questions()).toBe(1);
  api.pass(0.1);
  expect(await statuses(api, [token])).toEqual([200]);

  const hash = expect.stringMatching(/^r3s0urc3\.2026-11-21T12:00:00Z\.[\da-f]{32}\.[\da-f]{64}$/);
  const form = { token, client_id: "resource-server", client_secret_hash: hash };
  expect(api.authServer.questions).toEqual([form, form]);
  const [first, second] = api.authServer.questions.map((each) => each["client_secret_hash"]);
  expect(first).not.toBe(second);
});

test("the 5 s begin with the question, not with its answer", async () => {
  const held: ServerResponse[] = [];
  api.authServer.answerIntrospection((_req, res) => held.push(res));
  const token = api.token();
  const answer = api.time(token);
  await until("the question", () => held.length === 1);
  api.pass(5);
  held.forEach((res) => sendJson(res, claimsOf()));
  expect((await answer).status).toBe(200);
  api.authServer.answerIntrospection(inactive);
  expect(await statuses(api, [token])).toEqual([401]);
});

test("an inactive token is refused like any other, and asked about once in five seconds", async () => {
  const token = api.token();
  api.authServer.answerIntrospection(inactive);
  for (let use = 1; use <= 2; use++) {
    expect(refusalOf(await api.time(token))).toEqual(INVALID_TOKEN);
    expect(api.lines.findLast(({ msg }) => msg === "request")).toMatchObject({ reason: "revoked" });
    expect(questions()).toBe(1);
  }
  api.pass(5);
  api.authServer.answerIntrospection(active);
  expect(await statuses(api, [token])).toEqual([200]);
});

test("an active answer does not outlive its token", async () => {
  api.authServer.answerIntrospection(active);
  const token = api.token({ claims: { exp: api.now() + 2 } });
  expect(await statuses(api, [token])).toEqual([200]);
  api.advance(2);
  expect(await statuses(api, [token])).toEqual([401]);
});

test("however many requests bring one token, one question is on its way; different tokens wait for none", async () => {
  const held: ServerResponse[] = [];
  api.authServer.answerIntrospection((_req, res) => held.push(res));
  const [token, other] = [api.token(), api.token()];
  const answers = statuses(api, Array(20).fill(token));
  await until("the question", () => held.length === 1);
  const otherAnswer = statuses(api, [other]);
  await until("the other question", () => held.length === 2);
  held.forEach((res, index) => sendJson(res, claimsOf(index === 0 ? token : other)));
  expect(await answers).toEqual(Array(20).fill(200));
  expect(await otherAnswer).toEqual([200]);
  expect(questions()).toBe(2);
});

test("of questions about tokens that are valid by themselves 256 at most are on their way", async () => {
  const held = new Map<ServerResponse, string>();
  let most = 0;
  api.authServer.answerIntrospection((_req, res) => {
    held.set(res, api.authServer.questions.at(-1)?.["token"] ?? "");
    res.once("close", () => held.delete(res));
    most = Math.max(most, held.size);
  });
  const answers = statuses(
    api,
    Array.from({ length: 300 }, () => api.token()),
  );
  const refused = () => api.lines.filter(({ status }) => status === 503).length;
  await until("one is refused", () => refused() > 0);
  api.authServer.answerIntrospection(active);
  for (const [res, token] of held) sendJson(res, claimsOf(token));
  expect(await answers).toContain(200);
  expect(most).toBeLessThanOrEqual(256);
  expect(await statuses(api, [api.token()])).toEqual([200]);
});

test("an answer about another token helps nobody", async () => {
  api.authServer.answerIntrospection((_req, res) => sendJson(res, claimsOf(api.token())));
  expect(await statuses(api, [api.token()])).toEqual([401]);
});

test("an answer that cannot be used is 503, never 500, and never lets a token through", async () => {
  const json =
    (body: unknown, status = 200): RequestListener =>
    (_req, res) =>
      sendJson(res, body, status);
  const text =
    (body: string): RequestListener =>
    (_req, res) =>
      res.end(body);
  const answers: Record<string, RequestListener> = {
    "401": json({ error: "invalid_client" }, 401),
    "429": json({ error: "slow_down" }, 429),
    "500": (_req, res) => sendJson(res, claimsOf(), 500),
    "201": (_req, res) => sendJson(res, claimsOf(), 201),
    "no JSON": text("<html>"),
    "an empty body": text(""),
    null: json(null),
    "a list": json([{ active: true }]),
    "a string": json("active"),
    "no active": json({}),
    "active as text": (_req, res) => sendJson(res, { ...claimsOf(), active: "true" }),
    "active as a number": (_req, res) => sendJson(res, { ...claimsOf(), active: 1 }),
    "active without claims": json({ active: true }),
    "a claim of another type": (_req, res) => sendJson(res, { ...claimsOf(), ep: "0" }),
    "too much": text(`{"active":false,"x":"${"x".repeat(70_000)}"}`),
    "a cut": (req) => req.socket.destroy(),
    "a cut in the middle": (req, res) => {
      res.writeHead(200, { "content-length": 100 }).write('{"active":false}');
      setImmediate(() => req.socket.destroy());
    },
    "a redirect": (_req, res) => res.writeHead(307, { location: elsewhere.url }).end(),
    "no answer": () => {},
  };
  for (const [name, listener] of Object.entries(answers)) {
    api.authServer.answerIntrospection(listener);
    expect(await statuses(api, [api.token()]), name).toEqual([503]);
    expect(
      api.lines.findLast(({ msg }) => msg === "request"),
      name,
    ).toMatchObject({
      reason: "introspection_failed",
    });
  }
  expect(elsewhere.requests()).toBe(0);
  // However often it fails, the log is told so much about it.
  expect(api.lines.filter(({ event }) => event === "introspection_failed").length).toBe(1);
  expect(api.logText()).not.toContain(api.authServer.questions.at(-1)?.["client_secret_hash"]);
  api.authServer.answerIntrospection(active);
  expect(await statuses(api, [api.token()])).toEqual([200]);
});
