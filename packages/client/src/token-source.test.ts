/** A token source before a token endpoint that answers as each test says, with a manual clock. */
import { inspect } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { client, credentialFile } from "../test/demo.ts";
import {
  createTime,
  refusal,
  startTestServer,
  type TestServer,
  type TestTime,
  tokens,
} from "../test/test-server.ts";
import {
  type CredentialFile,
  type CredentialFileOptions,
  fromCredentialFile,
} from "./credential-file.ts";
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

const grantTypes = (): (string | undefined)[] =>
  server.requests.map(({ form }) => form["grant_type"]);

/** The requests in flight are answered. */
async function settled(count: number): Promise<void> {
  await expect.poll(() => server.requests.length).toBe(count);
}

test("a request has the one-time form, the grant type, the resource and the scope", async () => {
  const source = await createSource({ scope: ["time:read", "primes:check"] });
  await source.token();
  const [request] = server.requests;
  expect(request).toMatchObject({ method: "POST", target: "/oauth2/token" });
  expect(request?.headers["content-type"]).toBe("application/x-www-form-urlencoded");
  expect(request?.form).toEqual({
    grant_type: "client_credentials",
    client_id: "billing-cron",
    resource: "https://api.example.com",
    scope: "time:read primes:check",
    client_secret_hash: expect.stringMatching(
      /^k3f9a1c2\.2026-11-21T12:00:00Z\.[0-9a-f]{32}\.[0-9a-f]{64}$/,
    ),
  });
});

test("the token has its value, scope and end", async () => {
  const token = await (await createSource()).token();
  const { value, scope, expiresAt } = token;
  expect({ value, scope, expiresAt }).toEqual({
    value: "access-1",
    scope: ["time:read"],
    expiresAt: time.now + 600,
  });
});

test("its life is counted from when it was asked for", async () => {
  const asked = time.now;
  server.answer((_, count) => {
    time.now += 3;
    return tokens(count);
  });
  expect((await (await createSource()).token()).expiresAt).toBe(asked + 600);
});

test("however many callers, one request is in flight", async () => {
  const source = await createSource();
  const all = await Promise.all(Array.from({ length: 50 }, () => source.token()));
  expect(new Set(all.map(({ value }) => value))).toEqual(new Set(["access-1"]));
  expect(server.requests.length).toBe(1);
});

test("a token is kept until the last part of its life", async () => {
  const source = await createSource();
  const token = await source.token();
  time.now += 0.82 * 600;
  expect(await source.token()).toBe(token);
  expect(server.requests.length).toBe(1);
});

test("renewal begins before the end, by refresh, beside the callers", async () => {
  const source = await createSource();
  const first = await source.token();
  time.now += 0.83 * 600;
  const during = await Promise.all([source.token(), source.token()]);
  expect(during).toEqual([first, first]);
  await settled(2);
  await expect.poll(async () => (await source.token()).value).toBe("access-2");
  expect(grantTypes()).toEqual(["client_credentials", "refresh_token"]);
  expect(server.requests[1]?.form).toMatchObject({
    refresh_token: "dkr1.refresh-1",
    resource: "https://api.example.com",
  });
});

test("when renewal begins is drawn from a part of the token's life", async () => {
  for (const [random, part] of [
    [0, 0.75],
    [0.999, 0.9],
  ] as const) {
    time.platform.random = () => random;
    let renewals = -2; // The source's making and its first token read the file too.
    const file = (): CredentialFile => {
      renewals += 1;
      return credentialFile(server.url);
    };
    const source = await fromCredentialFile(file, time);
    await source.token();
    time.now += part * 600 - 1;
    await source.token();
    expect(renewals).toBe(0);
    time.now += 1;
    await source.token();
    expect(renewals).toBe(1);
  }
});

test("a token is not handed out in its last ten seconds", async () => {
  const source = await createSource();
  await source.token();
  time.now += 590;
  expect((await source.token()).value).toBe("access-2");
});

test("a token of ten seconds is handed out for nine", async () => {
  server.answer((_, count) => tokens(count, { expires_in: 10 }));
  const source = await createSource();
  await source.token();
  time.now += 7;
  expect((await source.token()).value).toBe("access-1");
  time.now += 2;
  expect((await source.token()).value).toBe("access-2");
});

test("a renewal that fails is not seen while the token works", async () => {
  const source = await createSource();
  const token = await source.token();
  server.answer(() => refusal(500, "server_error"));
  time.now += 0.9 * 600;
  expect(await source.token()).toBe(token);
  await settled(4);
  await expect.poll(() => time.pauses).toEqual([0.1875, 0.75]);
  time.now = token.expiresAt - 11;
  expect(await source.token()).toBe(token);
});

test("without a refresh token a new grant is opened", async () => {
  server.answer((_, count) => tokens(count, { refresh_token: undefined }));
  const source = await createSource();
  await source.token();
  time.now += 600;
  await source.token();
  expect(grantTypes()).toEqual(["client_credentials", "client_credentials"]);
});

test("an answer without a refresh token leaves the old one in force (RFC 6749 §6)", async () => {
  server.answer((_, count) => tokens(count, count === 2 ? { refresh_token: undefined } : {}));
  const source = await createSource();
  for (let i = 0; i < 3; i++) {
    await source.token();
    time.now += 600;
  }
  const sent = server.requests.map(({ form }) => form["refresh_token"]);
  expect(sent).toEqual([undefined, "dkr1.refresh-1", "dkr1.refresh-1"]);
});

test("a clock that is set back makes a token old", async () => {
  const source = await createSource();
  await source.token();
  time.now -= 3600;
  time.serverAhead += 3600;
  expect((await source.token()).value).toBe("access-2");
});

test("a refused token is replaced, the current one only", async () => {
  const source = await createSource();
  const first = await source.token();
  source.refused(first);
  const second = await source.token();
  time.now += 10;
  source.refused(first);
  expect([second.value, (await source.token()).value]).toEqual(["access-2", "access-2"]);
});

test("a resource that refuses every token gets a new one each ten seconds, no more", async () => {
  const source = await createSource();
  const refuse = async (): Promise<void> => source.refused(await source.token());
  for (let i = 0; i < 20; i++) await refuse();
  await source.token();
  expect(server.requests.length).toBe(2);
  time.now += 10;
  await refuse();
  await source.token();
  expect(server.requests.length).toBe(3);
});

test("an aborted signal ends its caller's waiting alone", async () => {
  const source = await createSource();
  const controller = new AbortController();
  const aborted = source.token({ signal: controller.signal });
  const other = source.token();
  controller.abort(new Error("no longer needed"));
  await expect(aborted).rejects.toThrow("no longer needed");
  expect((await other).value).toBe("access-1");
  await expect(source.token({ signal: controller.signal })).rejects.toThrow("no longer needed");
});

test("a closed source sends nothing, and ends what is in flight", async () => {
  server.answer(() => "hang");
  const source = await createSource();
  const waiting = source.token();
  await settled(1);
  source.close();
  await expect(waiting).rejects.toMatchObject({ code: "closed" });
  await expect(source.token()).rejects.toMatchObject({ code: "closed" });
  expect(server.requests.length).toBe(1);
});

test("a renewal that a runtime froze is given up", async () => {
  const frozen = Promise.withResolvers<void>();
  let isFrozen = true;
  const freezing = (...request: Parameters<typeof fetch>): Promise<Response> => {
    if (!isFrozen) return fetch(...request);
    frozen.resolve();
    return new Promise(() => {});
  };
  const source = await createSource({ platform: { ...time.platform, fetch: freezing } });
  void source.token().catch(() => {});
  await frozen.promise;
  isFrozen = false;
  time.now += 101;
  expect((await source.token()).value).toBe("access-1");
  source.close();
});

test("neither source nor token shows a secret when it is printed", async () => {
  const source = await createSource();
  const token = await source.token();
  const shown = [source, token].map((value) => [
    inspect(value, { depth: 9 }),
    JSON.stringify(value),
  ]);
  expect(shown.flat().join("\n")).not.toMatch(/dks_|dkr1|access-1|client_secret/);
  expect(JSON.stringify(token)).toBe(`{"scope":["time:read"],"expiresAt":${time.now + 600}}`);
  expect(client.client_secret).toMatch(/^dks_/);
});

test.each([0, -1, NaN, 31])(
  "a timeout of %d s is a programmer's mistake",
  async (timeoutSeconds) => {
    await expect(createSource({ timeoutSeconds })).rejects.toThrow(TypeError);
  },
);

test("E1: tokens on behalf of another's are exchanged for when they are needed, and not ahead", async () => {
  const source = await createSource();
  const onBehalf = source.exchange("eyJ.subject.token", { scope: ["time:read"] });
  expect(server.requests).toHaveLength(0);
  const token = await onBehalf.token();
  expect(server.requests[0]?.form).toMatchObject({
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token: "eyJ.subject.token",
    subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
    resource: "https://api.example.com",
    scope: "time:read",
  });
  time.now = token.expiresAt - 20;
  expect(await onBehalf.token()).toBe(token);
  expect(server.requests).toHaveLength(1);
  time.now = token.expiresAt;
  expect(await onBehalf.token()).not.toBe(token);
  expect(grantTypes()).toHaveLength(2);
});

test("a subject's token that is refused holds up no other exchange, stands in no error, and ends with its source", async () => {
  const source = await createSource();
  const subject = "eyJ.spent.token";
  server.answer(({ form }, count) =>
    form["subject_token"] === subject
      ? { status: 400, body: { error: "invalid_request", error_description: `no: ${subject}` } }
      : tokens(count),
  );
  const spent = source.exchange(subject, { type: "jwt", resource: "https://other.example.com" });
  const error = await spent.token().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "token_endpoint", oauthError: "invalid_request" });
  expect(inspect(error)).not.toContain(subject);
  expect(server.requests[0]?.form).toMatchObject({
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    resource: "https://other.example.com",
  });
  const other = source.exchange("eyJ.other.token");
  await other.token();
  await source.token();
  other.close();
  await expect(other.token()).rejects.toMatchObject({ code: "closed" });
  await source.token();
  source.close();
  await expect(spent.token()).rejects.toMatchObject({ code: "closed" });
});
