/** T6: scope and resource of a client's token (RFC 6749 §3.3, RFC 8707 §2). */
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeJwt } from "jose";
import {
  API,
  ISSUER,
  OTHER_API,
  startAuthServer,
  type TestAuthServer,
  type TestClient,
} from "../../test/auth-server.ts";

let server: TestAuthServer;
let client: TestClient;
beforeAll(async () => {
  server = await startAuthServer();
  client = await server.createClient();
});
afterAll(() => server.stop());

async function granted(form: Record<string, string>, of = client): Promise<object> {
  const { status, body, text } = await server.clientCredentials(of, form);
  expect(status, text).toBe(200);
  const { aud, scope } = decodeJwt(String(body["access_token"]));
  expect(body["scope"]).toBe(scope);
  return { aud, scope };
}

async function expectFault(form: Record<string, string>, body: object): Promise<void> {
  const answer = await server.clientCredentials(client, form);
  expect(answer.status, JSON.stringify(form)).toBe(400);
  expect(answer.body, JSON.stringify(form)).toEqual(body);
}

const EXCESS = {
  error: "invalid_scope",
  error_description: "The scope exceeds what this client may ask for this resource.",
};
const MALFORMED = {
  error: "invalid_scope",
  error_description: "The scope is not scope tokens with single spaces between.",
};
const INVALID_TARGET = {
  error: "invalid_target",
  error_description: "The resource is not registered for this client.",
};

test("T6: scope omitted or empty: all the client has at the resource, told explicitly", async () => {
  const all = { aud: API, scope: "time:read primes:check" };
  expect(await granted({})).toEqual(all);
  expect(await granted({ scope: "" })).toEqual(all);
});

test("T6: any part of the registered scope, as asked and each token once", async () => {
  for (const [asked, given] of [
    ["time:read", "time:read"],
    ["primes:check time:read", "primes:check time:read"],
    ["time:read time:read", "time:read"],
  ] as const) {
    expect(await granted({ scope: asked })).toEqual({ aud: API, scope: given });
  }
});

test("T6: scope beyond the client's, or another resource's, is invalid_scope", async () => {
  for (const scope of [
    "other:write",
    "time:read other:write",
    "daykey:admin",
    "TIME:READ",
    "time",
    "time:read:more",
    "*",
  ]) {
    await expectFault({ scope }, EXCESS);
  }
  const narrow = await server.createClient({ scopes: ["time:read"] });
  const { status, body } = await server.clientCredentials(narrow, { scope: "primes:check" });
  expect([status, body]).toEqual([400, EXCESS]);
});

test("T6 (RFC 6749 §3.3): scope that is not scope tokens with single spaces is invalid_scope", async () => {
  for (const scope of [
    " ",
    " time:read",
    "time:read ",
    "time:read  primes:check",
    'time:"read"',
    "time\\read",
    "zeit:lesen\u{e4}",
    "\u{1f511}",
  ]) {
    await expectFault({ scope }, MALFORMED);
  }
});

test("two of the client's resources: each token its own aud and scope", async () => {
  expect(await granted({ resource: API })).toEqual({ aud: API, scope: "time:read primes:check" });
  expect(await granted({ resource: OTHER_API })).toEqual({
    aud: OTHER_API,
    scope: "time:read other:write",
  });
  expect(await granted({ resource: OTHER_API, scope: "other:write" })).toEqual({
    aud: OTHER_API,
    scope: "other:write",
  });
});

test("without resource: the client's first", async () => {
  const reversed = await server.createClient({ resources: [OTHER_API, API] });
  expect(await granted({}, reversed)).toMatchObject({ aud: OTHER_API });
});

test("RFC 8707 §2: a resource that is not the client's is invalid_target", async () => {
  for (const resource of [
    "https://unknown.example.test",
    ISSUER,
    "urn:daykey:issuer",
    "/",
    "api.example.test",
    "//api.example.test",
    `${API}/path`,
    `${API}#fragment`,
    `${API}?query`,
    `${API}:444`,
    `${API} ${OTHER_API}`,
    "x".repeat(4000),
  ]) {
    await expectFault({ resource }, INVALID_TARGET);
  }
});

test("a registered client without scope at the resource gets none: invalid_scope", async () => {
  const without = await server.createClient({ scopes: ["primes:check"] });
  const { status, body } = await server.clientCredentials(without, { resource: OTHER_API });
  expect([status, body]).toEqual([400, EXCESS]);
});

test("the issuer is itself a resource, by its own URI", async () => {
  const reader = await server.createClient({ resources: [ISSUER], scopes: ["introspect"] });
  expect(await granted({ resource: ISSUER }, reader)).toEqual({ aud: ISSUER, scope: "introspect" });
});
