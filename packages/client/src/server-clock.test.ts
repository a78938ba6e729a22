/** The auth-server's time, learned from its answers; and what a wrong clock costs: one request. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { client, credentialFile } from "../test/demo.ts";
import {
  createTime,
  refusal,
  startTestServer,
  type TestServer,
  type TestTime,
  tokens,
} from "../test/test-server.ts";
import { fromCredentialFile, type SecretMethod } from "./credential-file.ts";
import { createServerClock, parseHttpDate } from "./server-clock.ts";
import type { TokenSource } from "./token-source.ts";

describe("what a Date tells", () => {
  test("a machine that is far off comes within half a second and half the round trip", () => {
    const seconds = fc.double({ min: 1e6, max: 1e6 + 3600, noNaN: true });
    const trip = fc.double({ min: 0, max: 10, noNaN: true });
    fc.assert(
      fc.property(seconds, seconds, trip, trip, (machine, server, there, back) => {
        fc.pre(Math.abs(machine - server) > 30 && Math.abs(machine - server) < 3500);
        let now = machine + there + back;
        const clock = createServerClock(() => now);
        const date = new Date(Math.floor(server + there) * 1000).toUTCString();
        clock.learn(date, machine, now);
        const error = Math.abs(clock.now() - (server + there + back));
        expect(error).toBeLessThanOrEqual((1 + there + back) / 2 + 1e-5);
        now += 100;
        expect(Math.abs(clock.now() - (server + there + back + 100))).toBeCloseTo(error, 3);
      }),
    );
  });

  test("a machine that is right stays exactly right", () => {
    const clock = createServerClock(() => 1000.4);
    clock.learn(new Date(1_000_000).toUTCString(), 1000.1, 1000.4);
    expect(clock.now()).toBe(1000.4);
  });

  test.each([
    "",
    "0",
    "2026-11-21",
    "2026-11-21T12:00:00Z",
    "Sat, 21 Nov 2026 12:00:00",
    "Sat, 21 Nov 2026 12:00:00 UTC",
    "Sun, 21 Nov 2026 12:00:00 GMT",
    "Sat, 31 Feb 2026 12:00:00 GMT",
    "Saturday, 21-Nov-26 12:00:00 GMT",
    "Sat, 21 Nov 2026 12:00:00 GMT ",
    "Sat, 21 Nov 2026 24:00:00 GMT",
  ])("is nothing, when it is no IMF-fixdate: %j", (text) => {
    expect(parseHttpDate(text)).toBeUndefined();
  });

  test("is its instant otherwise", () => {
    expect(parseHttpDate("Sat, 21 Nov 2026 12:00:00 GMT")).toBe(1_795_262_400);
  });
});

describe("a client whose clock is wrong", () => {
  let time: TestTime;
  let server: TestServer;
  beforeEach(async () => {
    time = createTime();
    server = await startTestServer(time);
  });
  afterEach(() => server.stop());

  const createSource = (method: SecretMethod): Promise<TokenSource> =>
    fromCredentialFile(credentialFile(server.url), { platform: time.platform, method });
  const sent = (name: string): (string | undefined)[] =>
    server.requests.map(({ form }) => form[name]);

  test.each([3590, -3590, 120])(
    "by %d s: the hash is dated anew, once, and right from then on",
    async (ahead) => {
      time.serverAhead = ahead;
      server.answer((_, count) =>
        count === 1 ? refusal(401, "invalid_client") : tokens(count, { refresh_token: undefined }),
      );
      const source = await createSource("client_secret_hash_once");
      const { expiresAt } = await source.token();
      time.now += 600;
      await source.token();
      const right = time.now + ahead;
      const dates = sent("client_secret_hash").map(
        (hash) => Date.parse(hash?.split(".")[1] ?? "") / 1000,
      );
      expect(dates[0]).toBe(time.now - 600);
      expect(Math.abs((dates[1] ?? 0) - (right - 600))).toBeLessThanOrEqual(1);
      expect(Math.abs((dates[2] ?? 0) - right)).toBeLessThanOrEqual(1);
      expect(dates.length).toBe(3);
      expect(Math.abs(expiresAt - right)).toBeLessThanOrEqual(1);
    },
  );

  test("the day form is made for the server's day", async () => {
    time.now = Date.parse("2026-11-20T23:30:00Z") / 1000;
    time.serverAhead = 3000;
    server.answer((_, count) => (count === 1 ? refusal(401, "invalid_client") : tokens(count)));
    await (await createSource("client_secret_hash_day")).token();
    expect(sent("client_secret_hash")[1]).toBe(
      "4055bf5e50be6bc56613bd52b5e95cb8416e93cc2809409b38f64c1d532e313c",
    );
  });

  test("the time in error_description counts, if a proxy's Date says otherwise", async () => {
    server.answer((_, count) => {
      const description =
        "The hash is dated too far from now: the server's time is 2026-11-21T12:59:00Z.";
      const body = { error: "invalid_client", error_description: description };
      return count === 1 ? { status: 401, body } : tokens(count);
    });
    await (await createSource("client_secret_hash_once")).token();
    expect(sent("client_secret_hash")[1]).toContain(".2026-11-21T12:59:00Z.");
  });

  test("gets one repetition a request, not more", async () => {
    server.answer((_, count) => {
      time.serverAhead += 1500;
      return count < 9 ? refusal(401, "invalid_client") : tokens(count);
    });
    const source = await createSource("client_secret_hash_once");
    await expect(source.token()).rejects.toMatchObject({ oauthError: "invalid_client" });
    expect(server.requests.length).toBe(2);
  });

  test.each([
    ["an hour and some seconds ahead", 3610, "client_secret_hash_once"],
    ["an hour and some seconds behind", -3610, "client_secret_hash_once"],
    ["a day ahead", 86_400, "client_secret_hash_day"],
    ["40 years ahead", 40 * 365 * 86_400, "client_secret_hash_day"],
  ] as const)("is named, and no hash is dated after it: %s", async (_, ahead, method) => {
    time.serverAhead = ahead;
    server.answer(() => refusal(401, "invalid_client"));
    const source = await createSource(method);
    await expect(source.token()).rejects.toMatchObject({
      code: "clock",
      oauthError: "invalid_client",
      message: expect.stringContaining("This machine's clock is"),
    });
    expect(server.requests.length).toBe(1);
  });

  test("is named when the description of the refusal is forged, too", async () => {
    const description = "the server's time is 2026-11-24T12:00:00Z.";
    const body = { error: "invalid_client", error_description: description };
    server.answer(() => ({ status: 401, body }));
    const source = await createSource("client_secret_hash_once");
    await expect(source.token()).rejects.toMatchObject({ code: "clock" });
    expect(server.requests.length).toBe(1);
  });

  test("forged answers, whatever their number and kind, have no day's hash that is not near", async () => {
    let ahead = 0;
    const sentAt: number[] = [];
    server.answer((_, count) => {
      sentAt.push(time.now);
      ahead += 1700 + (count % 3) * 86_400;
      time.serverAhead = ahead;
      return count % 2 === 0 ? tokens(count, { expires_in: 1 }) : refusal(401, "invalid_client");
    });
    const source = await createSource("client_secret_hash_once");
    for (let call = 0; call < 20; call++) {
      await source.token().catch(() => {});
      time.now += 600;
    }
    const dates = server.requests.flatMap(({ form }, i) => {
      const when = form["client_secret_hash"]?.split(".")[1];
      return when === undefined ? [] : [Date.parse(when) / 1000 - (sentAt[i] ?? Number.NaN)];
    });
    expect(dates.length).toBeGreaterThan(10);
    expect(Math.max(...dates.map(Math.abs))).toBeLessThanOrEqual(3601);
  });

  test.each([
    ["a clock that is right", 0, "client_secret_hash_once", 401, "invalid_client"],
    ["a small difference", 59, "client_secret_hash_once", 401, "invalid_client"],
    ["a secret that is sent itself", 3000, "client_secret_post", 401, "invalid_client"],
    ["another refusal", 3000, "client_secret_hash_once", 400, "invalid_scope"],
  ] as const)("is not the fault: %s", async (_, ahead, method, status, error) => {
    time.serverAhead = ahead;
    server.answer(() => refusal(status, error));
    const source = await createSource(method);
    await expect(source.token()).rejects.toMatchObject({ oauthError: error });
    expect(server.requests.length).toBe(1);
    expect(client.client_secret).toMatch(/^dks_/);
  });
});
