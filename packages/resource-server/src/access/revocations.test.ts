/** What the feed tells is refused, and nothing else is (docs/protocol.md §3). */
import { afterEach, describe, expect, test } from "vitest";
import type { Entry } from "../../test/auth-server.ts";
import {
  grant,
  metric,
  reconnect,
  startListening,
  statuses,
  tell,
  timesLive,
} from "../../test/feed.ts";
import { createSigningKey } from "../../test/issuer.ts";
import {
  CLIENT,
  INVALID_TOKEN,
  ISSUER,
  refusalOf,
  type TestResourceServer,
} from "../../test/resource-server.ts";
import { until } from "../../test/until.ts";
import { createRevocationSet } from "@daykey/common/revocation";

const running: TestResourceServer[] = [];
afterEach(() => Promise.all(running.splice(0).map((server) => server.stop())));

async function start(options?: Parameters<typeof startListening>[0]): Promise<TestResourceServer> {
  const api = await startListening(options);
  running.push(api);
  return api;
}

describe("the right tokens", () => {
  const ours = { client_id: CLIENT, cred: "k3f9a1c2", gid: "grant-1", ep: 3 };
  const other = createSigningKey("ES256", "another-kid");

  test.each<[string, (kid: string) => Entry, string[]]>([
    ["a grant", () => grant("grant-1"), ["ours", "olderEpoch", "otherCredential", "otherKey"]],
    [
      "a credential",
      () => ({ kind: "credential", subject: `${CLIENT} k3f9a1c2`, expires_at: null }),
      ["ours", "otherGrant", "olderEpoch", "otherKey"],
    ],
    [
      "a client's epoch",
      () => ({ kind: "client", subject: CLIENT, epoch: 4, expires_at: null }),
      ["ours", "otherGrant", "olderEpoch", "otherCredential", "otherKey"],
    ],
    [
      "a signing key",
      (kid) => ({ kind: "signing_key", subject: kid, expires_at: null }),
      ["ours", "otherGrant", "olderEpoch", "newerEpoch", "otherCredential", "otherClient"],
    ],
    [
      "the epoch of all clients",
      () => ({ kind: "issuer", subject: "urn:daykey:issuer", epoch: 4, expires_at: null }),
      ["ours", "otherGrant", "olderEpoch", "otherCredential", "otherClient", "otherKey"],
    ],
    ["a name of another kind", () => grant(CLIENT), []],
    ["a part of a name", () => ({ kind: "credential", subject: CLIENT, expires_at: null }), []],
  ])("T9: %s", async (_title, entry, refused) => {
    const api = await start();
    api.issuer.publish(api.key.jwk, other.jwk);
    api.advance(30);
    const tokens = {
      ours: api.token({ claims: ours }),
      otherGrant: api.token({ claims: { ...ours, gid: "grant-2" } }),
      olderEpoch: api.token({ claims: { ...ours, ep: 0 } }),
      newerEpoch: api.token({ claims: { ...ours, gid: "grant-3", cred: "newer123", ep: 4 } }),
      otherCredential: api.token({ claims: { ...ours, cred: "zzzz9999" } }),
      otherClient: api.token({
        claims: { ...ours, client_id: "billing", sub: "billing", gid: "grant-4" },
      }),
      otherKey: api.token({ claims: ours, key: other }),
    };
    // Served, so remembered as verified too.
    expect(await statuses(api, Object.values(tokens))).toEqual(Array(7).fill(200));
    await tell(api, entry(api.key.kid));
    const after = await statuses(api, Object.values(tokens));
    const names = Object.keys(tokens).filter((_name, index) => after[index] === 401);
    expect(names.toSorted()).toEqual(refused.toSorted());
    expect(after.filter((status) => status !== 401)).toEqual(Array(7 - refused.length).fill(200));
  });

  test.each<[string, Entry]>([
    ["its grant", grant("root")],
    ["its credential", { kind: "credential", subject: "root-client aaaa1111", expires_at: null }],
    ["its client's epoch", { kind: "client", subject: "root-client", epoch: 4, expires_at: null }],
    ["its signing key", { kind: "signing_key", subject: "root-key", expires_at: null }],
  ])("T13: what ends a grant ends those below and no sibling: %s", async (_title, entry) => {
    const api = await start();
    api.advance(30);
    const root = {
      gid: "root",
      client_id: "root-client",
      cred: "aaaa1111",
      ep: 3,
      kid: "root-key",
    };
    const middle = { gid: "middle", client_id: "middle-client", cred: "bbbb2222", ep: 9 };
    const stranger = { gid: "r2", client_id: "r2-client", cred: "aaaa1111", ep: 0, kid: "r2-key" };
    const of = (gid: string, anc: object[]): string => api.token({ claims: { ...ours, gid, anc } });
    const below = [of("1", [root]), of("2", [root, middle]), of("3", [middle, root])];
    const beside = [of("4", [stranger]), of("5", [middle]), of("6", [stranger, middle])];
    expect(await statuses(api, [...below, ...beside])).toEqual(Array(6).fill(200));
    await tell(api, entry);
    expect(await statuses(api, below)).toEqual([401, 401, 401]);
    expect(await statuses(api, beside)).toEqual([200, 200, 200]);
  });

  test("a revoked token reads outside like any other bad one; the log knows", async () => {
    const api = await start({ before: (_issuer, { entries }) => entries.push(grant("grant-1")) });
    const answer = await api.time(api.token({ claims: ours }));
    expect(refusalOf(answer)).toEqual(INVALID_TOKEN);
    expect(api.lines.at(-1)).toMatchObject({
      status: 401,
      reason: "revoked",
      client: CLIENT,
      grant: "grant-1",
    });
  });
});

test("T11: the highest epoch wins, whatever the order of events", async () => {
  const epoch = (value: number): Entry => ({
    kind: "client",
    subject: CLIENT,
    epoch: value,
    expires_at: null,
  });
  for (const order of [
    [3, 5, 4],
    [5, 4, 3],
    [4, 3, 5],
    [5, 5, 0],
  ]) {
    const api = await start();
    await tell(api, ...order.map(epoch));
    const tokens = [4, 5].map((ep) => api.token({ claims: { ep } }));
    expect(await statuses(api, tokens), `told as changes ${order.join()}`).toEqual([401, 200]);

    api.authServer.entries = order.map(epoch);
    api.pass(11);
    await reconnect(api);
    expect(await statuses(api, tokens), `told as a set ${order.join()}`).toEqual([401, 200]);
  }
});

describe("the auth-server's summary of its set", () => {
  const known = grant("grant-1");
  const summaryOf = (...entries: Entry[]): object => {
    const set = createRevocationSet(
      entries.map(({ kind, subject }) => ({
        kind: kind as "grant",
        subject,
        epoch: undefined,
        expiresAt: undefined,
      })),
    );
    const { entries: count, digest } = set.summary();
    return { entries: count, digest, at: 0 };
  };

  test("is that of docs/protocol.md: the sum of FNV-1a hashes", () => {
    expect(summaryOf(known)).toEqual({ entries: 1, digest: 1816053439, at: 0 });
  });

  test.each([
    ["is missing here", summaryOf(known, grant("grant-2"))],
    ["is there no more", summaryOf()],
    ["is another", summaryOf(grant("grant-2"))],
    ["cannot be read", { entries: 1, digest: "x", at: 0 }],
  ])(
    "an entry that %s: the whole set is read again, and until then nothing is forgotten",
    async (_what, summary) => {
      const api = await start({ before: (_issuer, { entries }) => entries.push(known) });
      api.authServer.entries = [known, grant("grant-2")];
      const token = api.token({ claims: { gid: "grant-1" } });
      expect((await api.time(token)).status).toBe(401);
      api.authServer.feed().send("heartbeat", summary);
      await until("live again", async () => {
        expect((await api.time(token)).status).toBe(401);
        return timesLive(api) > 1;
      });
      expect((await api.time(api.token({ claims: { gid: "grant-2" } }))).status).toBe(401);
    },
  );

  test("an equal one changes nothing", async () => {
    const api = await start({ before: (_issuer, { entries }) => entries.push(known) });
    api.authServer.feed().send("heartbeat", summaryOf(known));
    await tell(api, grant("grant-2"));
    expect(timesLive(api)).toBe(1);
  });
});

describe("a new connection", () => {
  const tokenOf = (api: TestResourceServer, gid: string): string => api.token({ claims: { gid } });

  test("its whole set replaces the old one, at once and not before it is whole", async () => {
    const api = await start({ before: (_issuer, { entries }) => entries.push(grant("old")) });
    const tokens = ["old", "new"].map((gid) => tokenOf(api, gid));
    expect(await statuses(api, tokens)).toEqual([401, 200]);

    api.pass(11);
    api.authServer.answerFeed((_req, res) => {
      res.writeHead(200, { "content-type": "text/event-stream" });
      api.authServer.feed().revoke(grant("new"));
    });
    api.authServer.feed().end();
    await until("another connection", () => api.authServer.feeds.length === 2);
    expect(await statuses(api, tokens), "before it is whole").toEqual([401, 200]);

    api.authServer.feed().send("live");
    await until("live again", () => timesLive(api) === 2);
    expect(await statuses(api, tokens), "after").toEqual([200, 401]);
  });

  test("what was told just before is kept: another instance may not know it yet", async () => {
    const api = await start();
    const token = tokenOf(api, "just-told");
    await tell(api, grant("just-told"));
    for (const seconds of [0, 4, 5]) {
      api.pass(seconds);
      await reconnect(api);
      expect(await statuses(api, [token]), `${seconds} s later`).toEqual([401]);
    }
    api.pass(5);
    await reconnect(api);
    expect(await statuses(api, [token])).toEqual([200]);
  });

  test("is opened before the token of the last ends, and that is closed only then", async () => {
    const api = await start({ before: (_issuer, authServer) => (authServer.lifeSeconds = 10) });
    const { authServer } = api;
    const [first] = authServer.feeds;
    authServer.answerFeed((_req, res) =>
      res.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders(),
    );
    api.pass(9);
    await until("another connection", () => authServer.feeds.length === 2);
    expect(first?.isClosed()).toBe(false);
    const token = tokenOf(api, "meanwhile");
    first?.revoke(grant("meanwhile"));
    await until("heard from the first", async () => (await api.time(token)).status === 401);

    authServer.feed().send("live");
    await until("the first is closed", () => first?.isClosed() === true);
    expect(await statuses(api, [token, api.token()])).toEqual([401, 200]);
    expect(authServer.feed().token).not.toBe(first?.token);
    await tell(api);
    expect(authServer.feeds.length).toBe(2);
  });

  test("is opened when three heartbeats are missing; the silent one may yet speak", async () => {
    const api = await start();
    const { authServer } = api;
    const [first] = authServer.feeds;
    authServer.answerFeed((_req, res) => res.writeHead(503).end());
    api.pass(10.5);
    await until("another connection", () => authServer.feeds.length >= 2);
    expect(first?.isClosed()).toBe(false);
    api.pass(5);
    expect(await statuses(api, [api.token()])).toEqual([503]);
    first?.send("heartbeat");
    await until("heard", async () => (await api.time(api.token())).status === 200);

    authServer.answerFeed(undefined);
    await until("live again", () => timesLive(api) === 2);
    await until("the first is closed", () => first?.isClosed() === true);
  });
});

test("an entry is dropped when it expires", async () => {
  const api = await start();
  await tell(api, grant("short", api.now() + 100), grant("ever"));
  expect(await metric(api, "revocations_known")).toBe(3);
  api.advance(99);
  const tokens = ["short", "ever"].map((gid) => api.token({ claims: { gid } }));
  expect(await statuses(api, tokens)).toEqual([401, 401]);
  api.advance(1);
  await until("it is dropped", async () => (await metric(api, "revocations_known")) === 2);
  expect(await statuses(api, tokens)).toEqual([200, 401]);
});

test("the token is asked for by the one-time form, for the issuer and that scope alone; a proof is never used twice", async () => {
  const api = await start();
  await reconnect(api);
  const { tokenForms, credential, feeds } = api.authServer;
  const hash = expect.stringMatching(/^r3s0urc3\.2026-11-21T12:00:00Z\.[\da-f]{32}\.[\da-f]{64}$/);
  const form = {
    grant_type: "client_credentials",
    resource: ISSUER,
    scope: "revocations:read",
    client_id: credential.clientId,
    client_secret_hash: hash,
  };
  expect(tokenForms).toEqual([form, form]);
  expect(tokenForms[0]?.["client_secret_hash"]).not.toBe(tokenForms[1]?.["client_secret_hash"]);
  expect(feeds.map(({ token }) => token)).toEqual(["feed-token-1", "feed-token-2"]);
  for (const secret of [credential.clientSecret, "feed-token"]) {
    expect(api.logText()).not.toContain(secret);
  }
});

test("a stopped server leaves no connection", async () => {
  const api = await start();
  running.splice(0);
  const { authServer } = api;
  authServer.stop = ((stop) => async () => {
    await until("the connection is closed", () => authServer.feed().isClosed());
    await stop();
  })(authServer.stop);
  await api.stop();
  expect(authServer.feeds.length).toBe(1);
});
