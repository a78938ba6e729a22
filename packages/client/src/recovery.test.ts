/** What a token source does when answers are lost, refused or late: the retry window, pauses, recovery. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { credentialFile } from "../test/demo.ts";
import {
  createTime,
  refusal,
  startTestServer,
  type TestServer,
  type TestTime,
  tokens,
} from "../test/test-server.ts";
import { type CredentialFileOptions, fromCredentialFile } from "./credential-file.ts";
import { DaykeyError } from "./errors.ts";
import type { TokenSource } from "./token-source.ts";

let time: TestTime;
let server: TestServer;
beforeEach(async () => {
  time = createTime();
  server = await startTestServer(time);
  server.answer((_, count) => tokens(count));
});
afterEach(() => server.stop());

function createSource(options: CredentialFileOptions = {}): Promise<TokenSource> {
  return fromCredentialFile(credentialFile(server.url), { platform: time.platform, ...options });
}

/** A source whose token has ended: its next call refreshes `dkr1.refresh-1`. */
async function createEndedSource(options?: CredentialFileOptions): Promise<TokenSource> {
  const source = await createSource(options);
  await source.token();
  time.now += 600;
  return source;
}

/** The refresh tokens that were presented, "secret" for a new grant. */
const presented = (): string[] =>
  server.requests.map(({ form }) => form["refresh_token"]?.replace("dkr1.", "") ?? "secret");

describe("the answer to a refresh is lost", () => {
  test.each([
    ["cut", "cut"],
    ["500", refusal(500, "server_error")],
    ["503 without Retry-After", refusal(503, "temporarily_unavailable")],
    ["502 of a proxy", { status: 502, body: "<html>" }],
    ["429", refusal(429, "slow_down")],
  ] as const)("R2: the same refresh token is sent again (%s)", async (_, fault) => {
    const source = await createEndedSource();
    server.answer((_request, count) => (count === 2 ? fault : tokens(count)));
    expect((await source.token()).value).toBe("access-3");
    expect(presented()).toEqual(["secret", "refresh-1", "refresh-1"]);
    expect(time.pauses).toEqual([0.1875]);
  });

  test("R2: the same refresh token is sent again after a timeout", async () => {
    const source = await createEndedSource({ timeoutSeconds: 0.1 });
    server.answer((_, count) => (count === 2 ? "hang" : tokens(count)));
    expect((await source.token()).value).toBe("access-3");
    expect(presented()).toEqual(["secret", "refresh-1", "refresh-1"]);
  });

  test("R2: and by a later call, until the window is almost over", async () => {
    const source = await createEndedSource();
    server.answer((_, count) => (count <= 4 ? "cut" : tokens(count)));
    await expect(source.token()).rejects.toMatchObject({ code: "network" });
    time.now += 48;
    expect((await source.token()).value).toBe("access-5");
    expect(presented()).toEqual(["secret", ...Array(4).fill("refresh-1")]);
  });

  test.each([
    ["cut", "cut", 3],
    ["500", refusal(500, "server_error"), 3],
    ["no JSON", { body: "{" }, 1],
  ] as const)(
    "R3: not after the window, when it would look stolen: a new grant is opened (%s)",
    async (_, fault, tries) => {
      const source = await createEndedSource();
      server.answer((_request, count) => (count <= 1 + tries ? fault : tokens(count)));
      await expect(source.token()).rejects.toBeInstanceOf(DaykeyError);
      time.now += 50;
      await source.token();
      expect(presented()).toEqual(["secret", ...Array(tries).fill("refresh-1"), "secret"]);
    },
  );

  test("R3: the window begins with the first sending, not the last", async () => {
    const source = await createEndedSource();
    server.answer((_, count) => (count <= 7 ? "cut" : tokens(count)));
    await expect(source.token()).rejects.toMatchObject({ code: "network" });
    time.now += 30;
    await expect(source.token()).rejects.toMatchObject({ code: "network" });
    time.now += 20;
    await source.token();
    expect(presented()).toEqual(["secret", ...Array(6).fill("refresh-1"), "secret"]);
  });

  test("R3: not after the clock was set back", async () => {
    const source = await createEndedSource();
    server.answer((_, count) => (count <= 4 ? "cut" : tokens(count)));
    await expect(source.token()).rejects.toMatchObject({ code: "network" });
    time.now -= 3600;
    await source.token();
    expect(presented().slice(4)).toEqual(["secret"]);
  });

  test("a refusal before anything was rotated leaves the window closed", async () => {
    const source = await createEndedSource();
    server.answer((_, count) => (count <= 2 ? refusal(401, "invalid_client") : tokens(count)));
    await expect(source.token()).rejects.toMatchObject({ oauthError: "invalid_client" });
    time.now += 300;
    expect((await source.token()).value).toBe("access-3");
    expect(presented()).toEqual(["secret", "refresh-1", "refresh-1"]);
  });

  test("a refusal does not close a window that a lost answer opened", async () => {
    const source = await createEndedSource();
    server.answer((_, count) =>
      count === 2 ? "cut" : count === 3 ? refusal(401, "invalid_client") : tokens(count),
    );
    await expect(source.token()).rejects.toMatchObject({ oauthError: "invalid_client" });
    time.now += 300;
    await source.token();
    expect(presented().slice(3)).toEqual(["secret"]);
  });
});

test.each(["invalid_grant", "unauthorized_client", "invalid_scope", "invalid_target"])(
  "a refresh refused with %s falls back to the secret, within the call",
  async (error) => {
    const source = await createEndedSource();
    server.answer((_, count) => (count === 2 ? refusal(400, error) : tokens(count)));
    expect((await source.token()).value).toBe("access-3");
    expect(presented()).toEqual(["secret", "refresh-1", "secret"]);
    time.now += 600;
    await source.token();
    expect(presented().at(-1)).toBe("refresh-3");
  },
);

test("a refused refresh token is not presented again, whatever becomes of the secret", async () => {
  const source = await createEndedSource();
  server.answer((_, count) =>
    count === 2 ? refusal(400, "invalid_grant") : count === 3 ? "cut" : tokens(count),
  );
  expect((await source.token()).value).toBe("access-4");
  expect(presented()).toEqual(["secret", "refresh-1", "secret", "secret"]);
});

describe("without hammering", () => {
  test("a server that is down gets three tries, then none until the pause is over", async () => {
    const source = await createSource();
    server.answer(() => "cut");
    for (let call = 0; call < 20; call++) {
      await expect(source.token()).rejects.toMatchObject({ code: "network" });
    }
    expect(server.requests.length).toBe(3);
    await expect(source.token()).rejects.toMatchObject({ retryAfterSeconds: 0.75 });
    time.now += 0.75;
    server.answer((_, count) => tokens(count));
    expect((await source.token()).value).toBe("access-4");
  });

  test("the pause grows from 1 s to 60 s, a quarter of it by chance here, and a success ends it", async () => {
    const source = await createSource();
    server.answer(() => refusal(401, "invalid_client"));
    const lengths: unknown[] = [];
    for (let failure = 1; failure <= 8; failure++) {
      await source.token().catch(() => {});
      const error: unknown = await source.token().catch((reason: unknown) => reason);
      const { retryAfterSeconds = 0 } = error as DaykeyError;
      lengths.push(retryAfterSeconds);
      time.now += retryAfterSeconds;
    }
    expect(lengths).toEqual([0.75, 1.5, 3, 6, 12, 24, 45, 45]);
    expect(server.requests.length).toBe(8);
    server.answer((_, count) => tokens(count));
    source.refused(await source.token());
    server.answer(() => refusal(400, "invalid_request"));
    await source.token().catch(() => {});
    await expect(source.token()).rejects.toMatchObject({ retryAfterSeconds: 0.75 });
  });

  test.each([
    [429, "slow_down", "90", 90],
    [503, "temporarily_unavailable", "90", 90],
    [503, "temporarily_unavailable", "Sat, 21 Nov 2026 12:01:30 GMT", 90],
    [503, "temporarily_unavailable", "99999999", 3600],
  ])("Retry-After is kept: %d %s, %s", async (status, error, retryAfter, seconds) => {
    const source = await createSource();
    server.answer(() => refusal(status, error, { "retry-after": retryAfter }));
    const expected = {
      code: "token_endpoint",
      status,
      oauthError: error,
      retryAfterSeconds: seconds,
    };
    await expect(source.token()).rejects.toMatchObject(expected);
    await expect(source.token()).rejects.toMatchObject(expected);
    time.now += seconds - 1;
    await expect(source.token()).rejects.toMatchObject({ retryAfterSeconds: 1 });
    expect(server.requests.length).toBe(1);
    time.now += 1;
    server.answer((_, count) => tokens(count));
    expect((await source.token()).value).toBe("access-2");
  });

  test("a short Retry-After is waited for", async () => {
    const source = await createSource();
    server.answer((_, count) =>
      count === 1 ? refusal(503, "temporarily_unavailable", { "retry-after": "2" }) : tokens(count),
    );
    expect((await source.token()).value).toBe("access-2");
    expect(time.pauses).toEqual([2]);
  });

  test.each(["", "-1", "1.5", "soon", "Sat, 21 Nov 2026 12:01:30 CET"])(
    "a Retry-After that is none is passed over: %j",
    async (retryAfter) => {
      const source = await createSource();
      server.answer(() => refusal(503, "temporarily_unavailable", { "retry-after": retryAfter }));
      await expect(source.token()).rejects.toMatchObject({ retryAfterSeconds: undefined });
      expect(server.requests.length).toBe(3);
    },
  );

  test("each try of a new grant has a proof of its own", async () => {
    const source = await createSource();
    server.answer((_, count) => (count < 3 ? "cut" : tokens(count)));
    await source.token();
    const proofs = server.requests.map(({ form }) => form["client_secret_hash"]);
    expect(new Set(proofs).size).toBe(3);
  });

  test("no other try is begun after the timeout", async () => {
    const source = await createSource();
    server.answer(() => {
      time.now += 10;
      return "cut";
    });
    await expect(source.token()).rejects.toMatchObject({ code: "network" });
    expect(server.requests.length).toBe(1);
  });
});
