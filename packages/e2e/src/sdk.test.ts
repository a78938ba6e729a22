/** The SDK against real servers, through a proxy that loses answers. */
import {
  authorizedFetch,
  createTokenSource,
  type CredentialFileOptions,
  dayForm,
  fromCredentialFile,
  oneTimeForm,
  type TokenSource,
} from "@daykey/client/index";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type CredentialFile, startStack } from "../test/stack.ts";
import { startTokenProxy, type TokenProxy } from "../test/token-proxy.ts";

let demo: CredentialFile;
let stopStack: () => Promise<void>;
beforeAll(async () => {
  const stack = await startStack();
  stopStack = stack.stop;
  demo = await stack.place.credential("demo-client.json");
});
afterAll(() => stopStack());

let proxy: TokenProxy;
/** How far the client's clock is ahead. */
let ahead: number;
beforeEach(async () => {
  ahead = 0;
  proxy = await startTokenProxy(demo.token_endpoint);
});
afterEach(() => proxy.stop());

function createSource(options: CredentialFileOptions = {}): Promise<TokenSource> {
  const clock = (): number => Date.now() / 1000 + ahead;
  const wait = async (): Promise<void> => {};
  const file = { ...demo, token_endpoint: proxy.url };
  return fromCredentialFile(file, { platform: { clock, wait }, ...options });
}

/** The next token, as if the resource had refused the current one. */
async function renew(source: TokenSource): Promise<string> {
  ahead += 11; // Refusals are believed once in ten seconds.
  source.refused(await source.token());
  return (await source.token()).value;
}

const presented = (): string[] =>
  proxy.exchanges.map(({ form }) => form["refresh_token"] ?? form["grant_type"] ?? "");
const statuses = (): number[] => proxy.exchanges.map(({ status }) => status);

async function time(source: TokenSource): Promise<number> {
  const response = await authorizedFetch(source)("/time");
  await response.arrayBuffer();
  return response.status;
}

test.each([
  "client_secret_hash_once",
  "client_secret_hash_day",
  "client_secret_basic",
  "client_secret_post",
] as const)("%s gets a token, refreshes it, and /time answers to both", async (method) => {
  const source = await createSource({ method });
  const first = await source.token();
  expect(await time(source)).toBe(200);
  expect(await renew(source)).not.toBe(first.value);
  expect(await time(source)).toBe(200);
  const [opened] = proxy.exchanges;
  expect(presented()).toEqual(["client_credentials", opened?.answer["refresh_token"]]);
  expect(first.scope).toEqual(["time:read", "primes:check"]);
  expect(Math.abs(first.expiresAt - Date.now() / 1000 - 600)).toBeLessThan(5);
});

test("without a token endpoint the issuer's metadata says it (RFC 8414)", async () => {
  const { issuer, resource, client_id: clientId, client_secret: secret, salt } = demo;
  const credential = oneTimeForm({ clientId, material: { secret, salt } });
  const source = createTokenSource({ issuer, resource, scope: ["time:read"], credential });
  expect((await source.token()).scope).toEqual(["time:read"]);
  expect(await time(source)).toBe(200);
});

test("B1: with dpop its token is bound to a key of this process, and each call proves it", async () => {
  const source = await fromCredentialFile(demo, { dpop: true });
  const token = await source.token();
  expect([await time(source), await time(source)]).toEqual([200, 200]);
  const alone = await fetch(`${demo.resource}/time`, {
    headers: { authorization: `Bearer ${token.value}` },
  });
  expect(alone.status).toBe(401);
  expect(JSON.stringify(token)).not.toContain("prove");
});

test("100 callers at once make one request", async () => {
  const source = await createSource();
  const all = await Promise.all(Array.from({ length: 100 }, () => source.token()));
  expect([new Set(all).size, statuses()]).toEqual([1, [200]]);
  const before = await source.token();
  ahead += 11;
  source.refused(before);
  const renewed = await Promise.all(Array.from({ length: 100 }, () => source.token()));
  expect([new Set(renewed).size, statuses()]).toEqual([1, [200, 200]]);
});

describe("R2: the answer to a refresh is lost", () => {
  test("the same refresh token gets the same successor, and the chain goes on", async () => {
    const source = await createSource();
    await source.token();
    proxy.lose(1);
    await renew(source);
    await renew(source);
    await renew(source);
    expect(proxy.exchanges.map(({ isLost }) => isLost)).toEqual([false, true, false, false, false]);
    expect(statuses()).toEqual([200, 200, 200, 200, 200]);
    const given = proxy.exchanges.map(({ answer }) => answer["refresh_token"]);
    expect(given[2]).toBe(given[1]);
    expect(presented()).toEqual(["client_credentials", given[0], given[0], given[2], given[3]]);
    expect(await time(source)).toBe(200);
  });

  test("three times: the call fails, and a later one goes on with the same", async () => {
    const source = await createSource();
    await source.token();
    proxy.lose(3);
    await expect(renew(source)).rejects.toMatchObject({ code: "network" });
    ahead += 5;
    await source.token();
    const [first] = proxy.exchanges.map(({ answer }) => answer["refresh_token"]);
    expect(presented()).toEqual(["client_credentials", first, first, first, first]);
    expect(statuses()).toEqual([200, 200, 200, 200, 200]);
  });

  test("and the window passes: a new grant is opened, the old one never called stolen", async () => {
    const source = await createSource();
    await source.token();
    proxy.lose(3);
    await expect(renew(source)).rejects.toMatchObject({ code: "network" });
    ahead += 50;
    await source.token();
    expect(presented().at(-1)).toBe("client_credentials");
    expect(statuses()).toEqual([200, 200, 200, 200, 200]);
  });
});

test("R2: the answer to a new grant is lost: another proof opens another", async () => {
  const source = await createSource();
  proxy.lose(1);
  await source.token();
  expect(statuses()).toEqual([200, 200]);
  expect(await time(source)).toBe(200);
});

test("R3: a grant that was revoked, because a thief used an old refresh token, is opened anew", async () => {
  const source = await createSource();
  await source.token();
  const stolen = proxy.exchanges[0]?.answer["refresh_token"] ?? "";
  await renew(source);
  await renew(source);
  const { issuer, client_id: clientId, client_secret: secret, salt } = demo;
  const credential = dayForm({ clientId, material: { secret, salt } });
  const { form = {} } = await credential.prove({ issuer, now: Date.now() / 1000 });
  const body = new URLSearchParams({ ...form, grant_type: "refresh_token", refresh_token: stolen });
  expect((await fetch(demo.token_endpoint, { method: "POST", body })).status).toBe(400);
  await renew(source);
  expect(statuses()).toEqual([200, 200, 200, 400, 200]);
  expect(presented().at(-1)).toBe("client_credentials");
  expect(await time(source)).toBe(200);
});

test("a server that is down is `network`, at once within the pause, and recovers by itself", async () => {
  const source = await createSource();
  await source.token();
  proxy.setDown(true);
  await expect(renew(source)).rejects.toMatchObject({ code: "network" });
  await expect(source.token()).rejects.toMatchObject({
    code: "network",
    retryAfterSeconds: expect.any(Number),
  });
  proxy.setDown(false);
  ahead += 1;
  await source.token();
  expect(await time(source)).toBe(200);
});

test.each([3000, -3000])(
  "the one-time form by a clock that is wrong by %d s costs one request, once",
  async (wrong) => {
    ahead = wrong;
    const source = await createSource({ method: "client_secret_hash_once" });
    const token = await source.token();
    await renew(source);
    expect(statuses()).toEqual([401, 200, 200]);
    expect(await time(source)).toBe(200);
    expect(Math.abs(token.expiresAt - Date.now() / 1000 - 600)).toBeLessThan(5);
  },
);

test.each([
  ["client_secret_hash_once", 2 * 3600],
  ["client_secret_hash_once", 40 * 365 * 86_400],
  ["client_secret_hash_day", 25 * 3600],
  ["client_secret_hash_day", -25 * 3600],
] as const)(
  "%s by a clock that is wrong by %d s is `clock`: no hash of another day is sent",
  async (method, wrong) => {
    ahead = wrong;
    const source = await createSource({ method });
    await expect(source.token()).rejects.toMatchObject({ code: "clock" });
    expect(statuses()).toEqual([401]);
  },
);

test("a wrong secret is `invalid_client`, told in one request", async () => {
  const other = demo.client_id === "demo" ? "resource-server" : "demo";
  const source = await fromCredentialFile(
    { ...demo, client_id: other, token_endpoint: proxy.url },
    {},
  );
  await expect(source.token()).rejects.toMatchObject({
    code: "token_endpoint",
    status: 401,
    oauthError: "invalid_client",
  });
  expect(statuses()).toEqual([401]);
});

test("authorizedFetch gets another token when the resource-server refuses one (RFC 6750 §3.1)", async () => {
  const source = await createSource();
  const good = await source.token();
  let isForged = true;
  const forging: TokenSource = {
    ...source,
    token: async () => (isForged ? { ...good, value: `${good.value.slice(0, -8)}AAAAAAAA` } : good),
    refused: () => (isForged = false),
  };
  expect(await time(forging)).toBe(200);
  expect(isForged).toBe(false);
});
