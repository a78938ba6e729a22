/** Requests with a token: where it goes, and where it never does. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Reply, startTestServer, type TestServer } from "../test/test-server.ts";
import { accessTokenOf, type AccessToken } from "./access-token.ts";
import { authorizedFetch } from "./authorized-fetch.ts";
import type { Fetch } from "./platform.ts";
import type { TokenSource } from "./token-source.ts";

let api: TestServer;
let other: TestServer;
let refusedTokens: string[];
let handedOut: number;
let source: Omit<TokenSource, "exchange">;
let get: Fetch;
beforeEach(async () => {
  api = await startTestServer();
  other = await startTestServer();
  other.answer(() => ({ body: "other" }));
  refusedTokens = [];
  handedOut = 0;
  source = createSource(api.url);
  get = authorizedFetch(source);
});
afterEach(() => Promise.all([api.stop(), other.stop()]));

/** Hands out t0, and after each refusal the next. */
function createSource(resource: string | undefined): Omit<TokenSource, "exchange"> {
  let token = tokenOf(0);
  return {
    resource,
    token: async ({ signal } = {}) => {
      signal?.throwIfAborted();
      handedOut += 1;
      return token;
    },
    refused(refused) {
      refusedTokens.push(refused.value);
      token = tokenOf(refusedTokens.length);
    },
    close() {},
  };
}

function tokenOf(n: number): AccessToken {
  return accessTokenOf(`t${n}`, { scope: [], expiresAt: 0 });
}

const sentTokens = (server: TestServer): unknown[] =>
  server.requests.map(({ headers }) => headers.authorization);
const sent = ({ requests }: TestServer): unknown[] =>
  requests.map(({ method, target, body }) => [method, target, body].join(" ").trim());

const challenge = (value: string): Reply => ({
  status: 401,
  headers: { "www-authenticate": value },
});
const INVALID_TOKEN = challenge('Bearer realm="x", error="invalid_token"');

/** Refuses a number of tokens, then says how much of what it got. */
function refuse(count: number, reply: Reply = INVALID_TOKEN): void {
  api.answer((_, n) => (n <= count ? reply : { body: "fine" }));
}

test("the token is added to what the request has", async () => {
  api.answer(() => ({ body: "fine" }));
  const response = await get("/time?zone=UTC", { headers: { "x-mine": "1" } });
  expect([response.status, await response.text()]).toEqual([200, "fine"]);
  expect(api.requests).toMatchObject([
    {
      method: "GET",
      target: "/time?zone=UTC",
      headers: { authorization: "Bearer t0", "x-mine": "1" },
    },
  ]);
});

test.each([
  ["relative", () => "/time"],
  ["absolute", () => `${api.url}/time`],
  ["URL", () => new URL("/time", api.url)],
  ["Request", () => new Request(`${api.url}/time`)],
])("a request may be given as %s", async (_, input) => {
  await get(input());
  expect([sent(api), sentTokens(api)]).toEqual([["GET /time"], ["Bearer t0"]]);
});

describe("after 401 invalid_token (RFC 6750 §3.1)", () => {
  test("another token is got, and the request sent again", async () => {
    refuse(1);
    const response = await get("/time");
    expect(await response.text()).toBe("fine");
    expect([sentTokens(api), refusedTokens]).toEqual([["Bearer t0", "Bearer t1"], ["t0"]]);
  });

  test("once", async () => {
    refuse(9);
    const response = await get("/time");
    expect([response.status, sentTokens(api)]).toEqual([401, ["Bearer t0", "Bearer t1"]]);
  });

  test("not when there is no other token", async () => {
    refuse(9);
    const response = await authorizedFetch({ ...source, refused: () => {} })("/time");
    expect([response.status, sentTokens(api)]).toEqual([401, ["Bearer t0"]]);
  });

  test.each<[string, Reply]>([
    ["no challenge", { status: 401 }],
    ["no error", challenge('Bearer realm="x"')],
    ["another error", challenge('Bearer error="insufficient_scope"')],
    ["another scheme", challenge('DPoP error="invalid_token"')],
    ["an error of another scheme", challenge('Bearer realm="x", DPoP error="invalid_token"')],
    ["inside a text", challenge('Bearer realm="Bearer error=invalid_token"')],
    ["403", { ...INVALID_TOKEN, status: 403 }],
  ])("only: %s", async (_, reply) => {
    refuse(9, reply);
    expect((await get("/time")).status).toBe(reply.status);
    expect([api.requests.length, refusedTokens]).toEqual([1, []]);
  });

  const form = new FormData();
  form.set("a", "1");
  test.each<[string, RequestInit["body"]]>([
    ["text", "a=1"],
    ["URLSearchParams", new URLSearchParams("a=1")],
    ["bytes", new TextEncoder().encode("a=1")],
    ["ArrayBuffer", new TextEncoder().encode("a=1").buffer],
    ["Blob", new Blob(["a=1"])],
    ["FormData", form],
  ])("a body that can be sent twice is: %s", async (_, body) => {
    refuse(1);
    const response = await get("/things", { method: "POST", body: body ?? null });
    expect(response.status).toBe(200);
    expect(api.requests.map(({ method, body: { length } }) => [method, length > 2])).toEqual([
      ["POST", true],
      ["POST", true],
    ]);
  });

  test.each<[string, () => Parameters<Fetch>]>([
    [
      "stream",
      () => ["/things", { method: "POST", body: new Blob(["a=1"]).stream(), duplex: "half" }],
    ],
    [
      "Request with a body",
      () => [new Request(`${api.url}/things`, { method: "POST", body: "a=1" })],
    ],
  ])("a body that is consumed is not: %s", async (_, request) => {
    refuse(1);
    const response = await get(...request());
    expect([response.status, sent(api)]).toEqual([401, ["POST /things a=1"]]);
    expect(refusedTokens).toEqual(["t0"]);
    expect((await get("/time")).status).toBe(200);
  });

  test("a Request without a body is sent again", async () => {
    refuse(1);
    const request = new Request(`${api.url}/things`, { method: "DELETE" });
    expect((await get(request)).status).toBe(200);
    expect(sent(api)).toEqual(["DELETE /things", "DELETE /things"]);
  });
});

describe("the token stays at its resource", () => {
  test.each([
    ["another port", () => `${other.url}/time`],
    ["another scheme", () => api.url.replace("http:", "https:")],
    ["another host", () => api.url.replace("127.0.0.1", "127.0.0.2")],
    ["without a scheme", () => other.url.replace("http:", "")],
    ["inside another scheme", () => `blob:${api.url}/time`],
    ["a Request", () => new Request(`${other.url}/time`)],
  ])("a request elsewhere is refused: %s", async (_, input) => {
    await expect(get(input())).rejects.toMatchObject({ code: "cross_origin" });
    expect([api.requests, other.requests]).toEqual([[], []]);
  });

  test.each([301, 302, 303, 307, 308])("a redirect elsewhere is returned: %d", async (status) => {
    const location = `${other.url}/time`;
    api.answer(() => ({ status, headers: { location } }));
    const response = await get("/time");
    expect([response.status, response.headers.get("location")]).toEqual([status, location]);
    expect(other.requests).toEqual([]);
  });

  test.each([301, 302, 303, 307, 308])("a redirect within is followed: %d", async (status) => {
    api.answer(({ target }) =>
      target === "/old" ? { status, headers: { location: "new?a=1" } } : { body: target },
    );
    const response = await get("/old", { headers: { "x-mine": "1" } });
    expect(await response.text()).toBe("/new?a=1");
    expect(api.requests.map(({ headers }) => [headers.authorization, headers["x-mine"]])).toEqual([
      ["Bearer t0", "1"],
      ["Bearer t0", "1"],
    ]);
  });

  test("a redirect within, then elsewhere, ends there", async () => {
    api.answer(({ target }) => ({
      status: 307,
      headers: { location: target === "/a" ? "/b" : other.url },
    }));
    expect((await get("/a")).status).toBe(307);
    expect([sent(api), other.requests]).toEqual([["GET /a", "GET /b"], []]);
  });

  test("five redirects at most", async () => {
    api.answer(() => ({ status: 302, headers: { location: "/again" } }));
    expect((await get("/")).status).toBe(302);
    expect(api.requests.length).toBe(6);
  });

  test("none of a request that is no GET or HEAD", async () => {
    api.answer(() => ({ status: 307, headers: { location: "/new" } }));
    expect((await get("/old", { method: "POST", body: "a=1" })).status).toBe(307);
    expect(sent(api)).toEqual(["POST /old a=1"]);
  });

  test("none when the caller follows by hand, and an error when it wants one", async () => {
    api.answer(() => ({ status: 307, headers: { location: "/new" } }));
    expect((await get("/old", { redirect: "manual" })).status).toBe(307);
    await expect(get("/old", { redirect: "error" })).rejects.toThrow(TypeError);
    expect(sent(api)).toEqual(["GET /old", "GET /old"]);
  });

  test("an origin can be named, and then it is the only one", async () => {
    const elsewhere = authorizedFetch(source, { origin: other.url });
    expect(await (await elsewhere("/time")).text()).toBe("other");
    await expect(elsewhere(`${api.url}/time`)).rejects.toMatchObject({ code: "cross_origin" });
  });

  test("without a resource it must be named", () => {
    expect(() => authorizedFetch(createSource(undefined))).toThrow(TypeError);
  });

  test("plain http goes to other machines only if it is allowed", async () => {
    const far = createSource("http://api.example.com");
    expect(() => authorizedFetch(far)).toThrow(expect.objectContaining({ code: "insecure_url" }));
    const fetch: Fetch = async (input) => new Response((input as URL).href);
    const allowed = authorizedFetch(far, { allowInsecureRequests: true, fetch });
    expect(await (await allowed("/a")).text()).toBe("http://api.example.com/a");
  });
});

test("an Authorization header of the request's own is a programmer's mistake", async () => {
  const headers = { Authorization: "Basic eDp5" };
  await expect(get("/time", { headers })).rejects.toThrow(TypeError);
  await expect(get(new Request(`${api.url}/`, { headers }))).rejects.toThrow(TypeError);
  expect([api.requests, handedOut]).toEqual([[], 0]);
});

test("an aborted signal ends it", async () => {
  const signal = AbortSignal.abort(new Error("no longer needed"));
  await expect(get("/time", { signal })).rejects.toThrow("no longer needed");
  await expect(get(new Request(api.url, { signal }))).rejects.toThrow("no longer needed");
  expect([api.requests, handedOut]).toEqual([[], 0]);
});
