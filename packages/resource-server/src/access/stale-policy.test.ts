/** STALE_POLICY: what becomes of valid tokens while the feed is silent (docs/protocol.md §3, V9, V13). */
import { afterEach, describe, expect, test } from "vitest";
import { sendJson } from "../../test/auth-server.ts";
import { grant, metric, startListening, statuses, timesLive } from "../../test/feed.ts";
import {
  KEYS_UNAVAILABLE,
  refusalOf,
  type TestResourceServer,
} from "../../test/resource-server.ts";
import { startTcpProxy, type TcpProxy } from "../../test/tcp-proxy.ts";
import { until } from "../../test/until.ts";
import type { StalePolicy } from "@daykey/guard/revocation/stale-policy";

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop();
});

type Options = NonNullable<Parameters<typeof startListening>[0]>;

async function start(policy: StalePolicy, options: Options = {}): Promise<TestResourceServer> {
  const api = await startListening({
    ...options,
    config: { stalePolicy: policy, ...options.config },
  });
  running.unshift(api);
  return api;
}

const DENY = { kind: "deny" } as const;
const ALLOW = { kind: "allow", seconds: 60 } as const;
const INTROSPECT = { kind: "introspect" } as const;

const UNKNOWN = {
  ...KEYS_UNAVAILABLE,
  body: {
    type: "urn:daykey:problem:revocations-unknown",
    title: "Access tokens cannot be checked now",
    status: 503,
  },
};

async function expectUnknown(api: TestResourceServer, reason: string): Promise<void> {
  const answer = await api.time(api.token());
  expect(refusalOf(answer)).toEqual(UNKNOWN);
  expect(answer.headers["retry-after"]).toBe("1");
  expect(api.lines.findLast(({ msg }) => msg === "request")).toMatchObject({ status: 503, reason });
}

/** The auth-server says that every token is active, but those of these grants. */
function introspectWithout(api: TestResourceServer, ...dead: string[]): void {
  api.authServer.answerIntrospection((_req, res) => {
    const { token = "" } = api.authServer.questions.at(-1) ?? {};
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as {
      gid: string;
    };
    sendJson(res, dead.includes(claims.gid) ? { active: false } : { active: true, ...claims });
  });
}

/** So that the feed does not come back while a test looks. */
function refuseFeeds({ authServer }: TestResourceServer): void {
  authServer.answerFeed((_req, res) => res.writeHead(503).end());
}

const statusOf = async (api: TestResourceServer, gid = "alive"): Promise<number> =>
  (await api.time(api.token({ claims: { gid } }))).status;

describe("a silent feed", () => {
  test("up to 15 s nothing changes, whatever the policy", async () => {
    for (const policy of [DENY, { kind: "allow", seconds: 1 } as const, INTROSPECT]) {
      const api = await start(policy);
      refuseFeeds(api);
      api.pass(15);
      expect(await statusOf(api), policy.kind).toBe(200);
      expect(api.authServer.questions, policy.kind).toEqual([]);
    }
  });

  test("deny: 503 from then on, until it speaks again", async () => {
    const api = await start(DENY);
    refuseFeeds(api);
    api.pass(15.1);
    await expectUnknown(api, "feed_stale");
    api.authServer.feeds[0]?.send("heartbeat");
    await until("served again", async () => (await statusOf(api)) === 200);
  });

  test("allow: served until the silence has lasted so long, then 503", async () => {
    const api = await start(ALLOW);
    refuseFeeds(api);
    api.pass(60);
    expect(await statusOf(api)).toBe(200);
    api.pass(0.1);
    await expectUnknown(api, "feed_stale");
  });

  test("introspect: the auth-server is asked about each token", async () => {
    const api = await start(INTROSPECT);
    refuseFeeds(api);
    introspectWithout(api, "ended");
    api.pass(15.1);
    expect(await statusOf(api)).toBe(200);
    expect(await statusOf(api, "ended")).toBe(401);
    expect(api.authServer.questions.length).toBe(2);
    api.authServer.answerIntrospection((_req, res) => res.writeHead(503).end());
    await expectUnknown(api, "introspection_failed");
  });

  test("what is bad by itself, or known to be revoked, is refused without asking", async () => {
    for (const policy of [DENY, ALLOW, INTROSPECT]) {
      const before: Options["before"] = (_issuer, { entries }) => entries.push(grant("known"));
      const api = await start(policy, { before });
      refuseFeeds(api);
      api.pass(1000);
      const expired = api.token({ claims: { exp: Math.floor(api.now()) } });
      const revoked = api.token({ claims: { gid: "known" } });
      expect(await statuses(api, [revoked, expired, `${api.token()}x`])).toEqual([401, 401, 401]);
      expect((await api.request("GET /time")).status).toBe(401);
      expect(api.authServer.questions).toEqual([]);
    }
  });

  test("is told in the log once, and by the metrics", async () => {
    const api = await start(DENY);
    refuseFeeds(api);
    expect(await metric(api, "revocation_feed_age_seconds")).toBe(0);
    const told = (event: string): unknown[] => api.lines.filter((line) => line["event"] === event);
    for (const seconds of [16, 1, 100]) {
      api.pass(seconds);
      const tries = told("revocations_cut").length;
      await until("it has looked often", () => told("revocations_cut").length > tries + 5);
    }
    expect(await metric(api, "revocation_feed_age_seconds")).toBe(117);
    expect(told("revocations_stale")).toMatchObject([{ level: "error" }]);
  });
});

describe("V13: the feed cut by a proxy", () => {
  const CUTS = [
    { how: "cut", policy: DENY },
    { how: "cut", policy: ALLOW },
    { how: "cut", policy: INTROSPECT },
    { how: "hold", policy: INTROSPECT },
  ] as const;

  async function startBehindProxy(policy: StalePolicy): Promise<[TestResourceServer, TcpProxy]> {
    let proxy: TcpProxy | undefined;
    const api = await start(policy, {
      reach: async (url) => (proxy = await startTcpProxy(url)).url,
    });
    if (!proxy) throw new TypeError("no proxy");
    running.push(proxy);
    return [api, proxy];
  }

  test.each(CUTS)(
    "$how, $policy.kind: by the policy within 15 s, and right again once it heals",
    async ({ how, policy }) => {
      const [api, proxy] = await startBehindProxy(policy);
      introspectWithout(api);
      proxy[how]();
      api.authServer.entries.push(grant("meanwhile"));
      expect(await statusOf(api)).toBe(200);

      api.pass(15.1);
      expect(await statusOf(api), "stale").toBe(policy.kind === "allow" ? 200 : 503);
      api.pass(45);
      expect(await statusOf(api), "for longer").toBe(503);

      proxy.restore();
      const live = timesLive(api);
      // What hangs in the held wire is given up by its age.
      await until("live again", () => {
        api.pass(5);
        return timesLive(api) > live;
      });
      await until("served", async () => (await statusOf(api)) === 200);
      expect(await statusOf(api, "meanwhile")).toBe(401);
    },
  );
});

describe("before the first whole set", () => {
  const options: Options = {
    isDeaf: true,
    before: (_issuer, { answerFeed }) =>
      answerFeed((_req, res) =>
        res.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders(),
      ),
  };

  test.each([DENY, ALLOW])("$kind: 503, for nothing is known yet", async (policy) => {
    const api = await start(policy, options);
    await expectUnknown(api, "feed_stale");
  });

  test("introspect: the auth-server is asked", async () => {
    const api = await start(INTROSPECT, options);
    introspectWithout(api, "ended");
    expect([await statusOf(api), await statusOf(api, "ended")]).toEqual([200, 401]);
  });

  test("the server is alive and not ready; then it is, and stays so when the feed falls silent", async () => {
    const api = await start(DENY, options);
    const ready = async (): Promise<unknown> => {
      const response = await fetch(`${api.privateUrl}/readyz`);
      return [response.status, await response.json()];
    };
    await api.issuer.requested(1);
    await until(
      "the keys are there",
      async () => !JSON.stringify(await ready()).includes('"keys"'),
    );
    expect(await ready()).toEqual([
      503,
      { status: "not ready", faults: { revocations: "not heard yet" } },
    ]);
    expect((await fetch(`${api.privateUrl}/livez`)).status).toBe(200);
    expect(await metric(api, "revocation_feed_age_seconds")).toBe(Infinity);

    await until("a connection", () => api.authServer.feeds.length > 0);
    api.authServer.feed().send("live");
    await until("live", () => timesLive(api) === 1);
    expect(await ready()).toEqual([200, { status: "ready" }]);
    api.pass(1000);
    expect(await ready()).toEqual([200, { status: "ready" }]);
  });
});

test("V9: the auth-server is down: allow serves valid tokens, what must ask fails closed, and a new one is found", async () => {
  for (const policy of [ALLOW, INTROSPECT, DENY]) {
    const api = await start(policy);
    const { authServer } = api;
    await authServer.stop();
    authServer.stop = () => Promise.resolve();
    api.pass(16);
    for (let use = 0; use < 3; use++) {
      expect(await statusOf(api), policy.kind).toBe(policy.kind === "allow" ? 200 : 503);
    }
  }
});
