/** A feed that is broken, or worse: what was known stays in use, and the server comes back by itself. */
import type { RequestListener } from "node:http";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { grant, reconnect, startListening, statuses, tell, timesLive } from "../../test/feed.ts";
import { type HttpStub, startHttpStub } from "../../test/issuer.ts";
import type { TestResourceServer } from "../../test/resource-server.ts";
import { until } from "../../test/until.ts";

let api: TestResourceServer;
/** Where redirects lead. */
let elsewhere: HttpStub;
beforeAll(async () => {
  elsewhere = await startHttpStub();
  api = await startListening({
    feedLimits: { maxEntries: 20 },
    before: (_issuer, { entries }) => entries.push(grant("known")),
  });
});
afterAll(() => Promise.all([api.stop(), elsewhere.stop()]));
afterEach(() => {
  api.authServer.answerFeed(undefined);
  api.authServer.answerToken(undefined);
});

const tokens = (): string[] => ["known", "other"].map((gid) => api.token({ claims: { gid } }));

/** While this answers, nothing changes; afterwards the feed is live again. */
async function expectUnharmed(listener: RequestListener): Promise<void> {
  const { authServer } = api;
  const [live, connections] = [timesLive(api), authServer.feeds.length];
  authServer.answerFeed(listener);
  authServer.feed().end();
  await until("it tried twice", () => authServer.feeds.length >= connections + 2);
  expect(timesLive(api)).toBe(live);
  expect(await statuses(api, tokens())).toEqual([401, 200]);
  authServer.answerFeed(undefined);
  await until("live again", () => timesLive(api) > live);
  expect(await statuses(api, tokens())).toEqual([401, 200]);
}

/** An answer of this status, its body that which is written. */
const answer =
  (status: number, headers: Record<string, string>, body = ""): RequestListener =>
  (_req, res) =>
    res.writeHead(status, headers).end(body);

const LIVE = "event: live\ndata: {}\n\n";
const STREAM = { "content-type": "text/event-stream" };

test.each<[string, RequestListener]>([
  ["404", answer(404, STREAM, LIVE)],
  ["401", answer(401, { "www-authenticate": 'Bearer error="invalid_token"' })],
  ["500", answer(500, {})],
  ["204", answer(204, {})],
  ["206", answer(206, STREAM, LIVE)],
  ["JSON", answer(200, { "content-type": "application/json" }, LIVE)],
  ["no media type", answer(200, {}, LIVE)],
  ["a connection cut at once", (req) => req.socket.destroy()],
  ["an empty stream", answer(200, STREAM)],
  [
    "an end before the set is whole",
    answer(
      200,
      STREAM,
      'event: revocation\ndata: {"kind":"grant","subject":"other","expires_at":null}\n\n',
    ),
  ],
  ["a line that never ends", answer(200, STREAM, `data: ${"x".repeat(5000)}`)],
  [
    "more entries than can be held",
    (_req, res) => {
      res.writeHead(200, STREAM);
      for (let i = 0; i <= 20; i++) api.authServer.feed().revoke(grant(`many-${i}`));
    },
  ],
  [
    "one entry without end",
    (_req, res) => {
      res.writeHead(200, STREAM);
      for (let i = 0; i <= 20; i++) api.authServer.feed().revoke(grant("other"));
    },
  ],
])("an answer that is no feed: %s", async (_title, listener) => {
  await expectUnharmed(listener);
});

test.each([301, 302, 303, 307, 308])(
  "a redirect (%i) is not followed: the token stays",
  async (status) => {
    await expectUnharmed((_req, res) => res.writeHead(status, { location: elsewhere.url }).end());
    expect(elsewhere.requests()).toBe(0);
  },
);

test.each([
  "",
  "x",
  "[]",
  "null",
  "{}",
  '{"kind":"grant","subject":"other"}',
  '{"kind":"grant","subject":"other","expires_at":"never"}',
  '{"kind":"grant","subject":"","expires_at":null}',
  `{"kind":"grant","subject":"${"x".repeat(257)}","expires_at":null}`,
  '{"kind":"grant","subject":["other"],"expires_at":null}',
  '{"kind":"grant","subject":"other","epoch":1,"expires_at":null}',
  '{"kind":"grants","subject":"other","expires_at":null}',
  '{"kind":"toString","subject":"other","expires_at":null}',
  '{"kind":"client","subject":"billing","expires_at":null}',
  '{"kind":"client","subject":"billing","epoch":-1,"expires_at":null}',
  '{"kind":"client","subject":"billing","epoch":1.5,"expires_at":null}',
  '{"kind":"client","subject":"billing","epoch":"1","expires_at":null}',
])("a revocation that is not understood is not passed over: %s", async (data) => {
  await expectUnharmed((_req, res) =>
    res.writeHead(200, STREAM).write(`event: revocation\ndata: ${data}\n\n${LIVE}`),
  );
});

test("bytes that are not UTF-8", async () => {
  await expectUnharmed((_req, res) => {
    res.writeHead(200, STREAM).write(Buffer.from([0x64, 0xff]));
  });
});

test("a set that does not become whole in time", async () => {
  const { authServer } = api;
  const live = timesLive(api);
  authServer.answerFeed((_req, res) => res.writeHead(200, STREAM).flushHeaders());
  authServer.feed().end();
  for (let round = 0; round < 2; round++) {
    const connections = authServer.feeds.length;
    await until("another connection", () => authServer.feeds.length > connections);
    api.pass(20.5);
  }
  expect(authServer.feeds.at(-2)?.isClosed()).toBe(true);
  authServer.answerFeed(undefined);
  await until("live again", () => timesLive(api) > live);
  expect(await statuses(api, tokens())).toEqual([401, 200]);
});

test("an answer after which fetch hears no signal", async () => {
  const { authServer } = api;
  const live = timesLive(api);
  authServer.answerFeed((req) => {
    req.socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    );
  });
  authServer.feed().end();
  for (let round = 0; round < 2; round++) {
    const connections = authServer.feeds.length;
    await until("another connection", () => authServer.feeds.length > connections);
    api.pass(20.5);
  }
  authServer.answerFeed(undefined);
  await until("live again", () => timesLive(api) > live);
  expect(await statuses(api, tokens())).toEqual([401, 200]);
});

test("a server that waits for such an answer stops all the same", async () => {
  const waiting = await startListening();
  waiting.authServer.answerFeed((req) => {
    req.socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  });
  waiting.authServer.feed().end();
  await until("it asked again", () => waiting.authServer.feeds.length > 1);
  await waiting.stop();
  expect(timesLive(waiting)).toBe(1);
});

test("garbage on a live feed ends it, and another is opened", async () => {
  for (const garbage of ["event: revocation\ndata: x\n\n", Buffer.from([0xff]), "x".repeat(5000)]) {
    const [feed, live] = [api.authServer.feed(), timesLive(api)];
    feed.write(garbage);
    await until("live again", () => timesLive(api) > live);
    expect(feed.isClosed()).toBe(true);
    expect(await statuses(api, tokens())).toEqual([401, 200]);
  }
});

test("events of other names, comments and a second live change nothing, and do not count as news", async () => {
  const [feed, live] = [api.authServer.feed(), timesLive(api)];
  const connections = api.authServer.feeds.length;
  api.authServer.answerFeed(answer(503, {}));
  api.pass(9);
  feed.write(": still here\n\nevent: notice\ndata: x\n\nid: 1\nretry: 1\n\n");
  api.pass(7);
  expect(await statuses(api, tokens())).toEqual([401, 503]);
  await until("it tries another", () => api.authServer.feeds.length > connections);
  feed.send("live");
  await until("fresh", async () => (await statuses(api, tokens()))[1] === 200);
  expect(timesLive(api)).toBe(live);
  api.authServer.answerFeed(undefined);
  await until("another takes its place", () => timesLive(api) > live);
});

test("a token endpoint that is down, refuses or talks nonsense is asked again", async () => {
  for (const listener of [
    answer(503, {}),
    answer(401, { "content-type": "application/json" }, '{"error":"invalid_client"}'),
    answer(200, { "content-type": "application/json" }, "{}"),
    answer(302, { location: elsewhere.url }),
  ]) {
    const { authServer } = api;
    const [live, asked] = [timesLive(api), authServer.tokenForms.length];
    authServer.answerToken(listener);
    authServer.feed().end();
    await until("it asked three times", () => authServer.tokenForms.length >= asked + 3);
    expect(await statuses(api, tokens())).toEqual([401, 200]);
    authServer.answerToken(undefined);
    await until("live again", () => timesLive(api) > live);
  }
  expect(elsewhere.requests()).toBe(0);
});

test("after all that it hears as before", async () => {
  await reconnect(api);
  await tell(api, grant("new"));
  expect(await statuses(api, [...tokens(), api.token({ claims: { gid: "new" } })])).toEqual([
    401, 200, 401,
  ]);
});
