/** The guard in each framework, over HTTP, before a real auth-server: the same answers from all. */
import { connect } from "node:net";
import { signRequest } from "@daykey/client/internal/signed-fetch";
import { exchangeFor } from "@daykey/auth-server/test/exchange";
import { signUrl } from "@daykey/client/internal/sign-url";
import { createTestLog } from "@daykey/service/test/log";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { FRAMEWORKS, type Service } from "../test/frameworks.ts";
import { API, EXT, ISSUER, type RealIssuer, startRealIssuer } from "../test/real-issuer.ts";
import { createGuard, type Guard, type GuardOptions } from "./guard.ts";
import type { StalePolicy } from "./revocation/stale-policy.ts";

let issuer: RealIssuer;
let guard: Guard;
/** Without a credential. */
let alone: Guard;
/** What it needs is not there. */
let away: Guard;
/** One for each policy. They have the keys, and hear of nothing. */
let deaf: Guard[];
const STALE_POLICIES: StalePolicy[] = [
  { kind: "deny" },
  { kind: "allow", seconds: 60 },
  { kind: "introspect" },
];
const { log, lines } = createTestLog();

beforeAll(async () => {
  issuer = await startRealIssuer();
  const { credential, server } = issuer;
  const options: GuardOptions = { issuer: ISSUER, resource: API, authServerUrl: server.url, log };
  guard = createGuard({ ...options, credential, usageSeconds: 3600 });
  alone = createGuard(options);
  const lost = { ...options, credential, authServerUrl: "http://127.0.0.1:9" };
  away = createGuard(lost);
  const jwksUri = `${server.url}/.well-known/jwks.json`;
  deaf = STALE_POLICIES.map((stalePolicy) => createGuard({ ...lost, jwksUri, stalePolicy }));
  await Promise.all([guard.ready(), alone.ready()]);
});
afterAll(async () => {
  await Promise.all([guard, alone, away, ...deaf].map((each) => each.close()));
  await issuer.stop();
});

const METADATA = `resource_metadata="${API}/.well-known/oauth-protected-resource"`;
const challenge = (parameters = ""): string =>
  `Bearer realm="${API}", ${parameters}scope="time:read", ${METADATA}`;

describe.each(Object.entries(FRAMEWORKS))("%s", (_name, serve) => {
  let service: Service;
  let token: string;
  /** The guard that stands in the service. */
  let current: Guard;
  beforeAll(async () => {
    service = await serve({ check: (...given) => current.check(...given) });
    token = await issuer.token();
  });
  afterAll(() => service.stop());
  beforeEach(() => void (current = guard));

  async function ask(
    path: string,
    headers: Record<string, string> = { authorization: `Bearer ${token}` },
    init: RequestInit = {},
  ) {
    // Some servers close a connection on which a refused body was left.
    const response = await fetch(service.url + path, {
      ...init,
      headers: { ...headers, connection: "close" },
    });
    const text = await response.text();
    const body = text === "" ? undefined : (JSON.parse(text) as unknown);
    return { status: response.status, headers: response.headers, body };
  }

  /** What comes back for bytes as they are. */
  async function exchange(fields: readonly string[], target = "/orders"): Promise<string> {
    const socket = connect(service.port, "127.0.0.1");
    let received = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => (received += chunk));
    socket.on("error", () => {});
    socket.write(
      [`GET ${target} HTTP/1.1`, "Host: x", ...fields, "Connection: close", "", ""].join("\r\n"),
    );
    await new Promise((resolve) => socket.once("close", resolve));
    return received;
  }
  const statusOf = (answer: string): number => Number(answer.split(" ")[1]);

  async function signed(path: string, init: { method?: string; body?: string } = {}) {
    const { method = "GET", body } = init;
    const bytes = body === undefined ? undefined : new TextEncoder().encode(body);
    const toSign = { method, url: new URL(path, API), body: bytes };
    return signRequest(issuer.signatureKey, toSign, issuer.server.now());
  }

  test("who may is let through, and the route knows who it is", async () => {
    const { clientId } = issuer.client;
    const common = {
      clientId,
      subject: clientId,
      actors: [],
      scope: ["time:read"],
      revocation: "feed",
    };
    const cases = {
      access_token: { authorization: `Bearer ${token}` },
      api_key: { "x-api-key": issuer.apiKey },
      http_signature: await signed("/orders"),
    };
    for (const [via, headers] of Object.entries(cases)) {
      const answer = await ask("/orders", headers);
      expect(answer, via).toMatchObject({ status: 200, body: { ...common, via, body: "" } });
      const { ext } = answer.body as { ext?: unknown };
      expect(ext, via).toEqual(via === "access_token" ? EXT : undefined);
    }
    const opaque = await ask("/orders", { authorization: `Bearer ${await issuer.opaqueToken()}` });
    expect(opaque).toMatchObject({ status: 200, body: { via: "access_token", ext: EXT } });
    const { actor, token: onBehalf } = await exchangeFor(issuer.server, token, { resource: API });
    expect(await ask("/orders", { authorization: `Bearer ${onBehalf}` })).toMatchObject({
      body: { clientId: actor.clientId, subject: clientId, actors: [actor.clientId], ext: EXT },
    });
    const { pathname, search } = new URL(await signUrl(issuer.signatureKey, "/orders"));
    const byUrl = await ask(pathname + search, {});
    expect(byUrl).toMatchObject({ status: 200, body: { via: "signed_url" } });
  });

  test("without a credential it is 401 with a challenge that names the scope (RFC 6750 §3)", async () => {
    const { status, headers, body } = await ask("/orders", {});
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toBe(challenge());
    expect(headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(body).toEqual({ type: "about:blank", title: "A credential is required", status: 401 });
  });

  test("a token that is none, of another resource or key is 401 invalid_token", async () => {
    const [head = "", payload = ""] = token.split(".");
    for (const bad of ["x", `${head}.${payload}.AAAA`, `${token}A`, "dka1.abcdefgh.AAAA"]) {
      const { status, headers, body } = await ask("/orders", { authorization: `Bearer ${bad}` });
      expect(status, bad).toBe(401);
      expect(headers.get("www-authenticate")).toBe(challenge('error="invalid_token", '));
      expect(body).toMatchObject({ type: "urn:daykey:problem:invalid-token" });
    }
  });

  test("without the scope, or as another client, it is 403", async () => {
    const other = await ask("/other");
    expect(other.status).toBe(403);
    expect(other.headers.get("www-authenticate")).toBe(
      `Bearer realm="${API}", error="insufficient_scope", scope="other:write", ${METADATA}`,
    );
    expect(other.body).toMatchObject({ detail: "This needs the scope other:write." });
    expect(await ask("/some")).toMatchObject({
      status: 403,
      body: { type: "urn:daykey:problem:other-client" },
    });
  });

  test("over its quota it is 429 with Retry-After; what is let through says what is left", async () => {
    // Frameworks share the guard, and so the counter.
    const answers = [await ask("/twice"), await ask("/twice"), await ask("/twice")];
    const last = answers.at(-1);
    expect(last).toMatchObject({
      status: 429,
      body: { type: "urn:daykey:problem:quota-exceeded" },
    });
    expect(Number(last?.headers.get("retry-after"))).toBeGreaterThan(0);
    for (const { headers } of answers) {
      expect(headers.get("ratelimit-policy")).toBe('"twice day";q=2;w=86400');
      expect(headers.get("ratelimit")).toMatch(/^"twice day";r=\d;t=\d+$/);
    }
  });

  test.each<readonly [string, (token: string, key: string) => string[]]>([
    ["two tokens", (t) => [`Authorization: Bearer ${t}`, `Authorization: Bearer ${t}`]],
    ["two schemes", (t) => [`Authorization: Bearer ${t}`, "Authorization: Basic YTpi"]],
    ["a token under two names", (t) => [`Authorization: Bearer ${t}`, `X-PA-AUTH-TOKEN: ${t}`]],
    ["a token and an API key", (t, key) => [`Authorization: Bearer ${t}`, `X-Api-Key: ${key}`]],
    ["two API keys", (_, key) => [`X-Api-Key: ${key}`, `X-Api-Key: ${key}`]],
    ["a signature beside it", (t) => [`Authorization: Bearer ${t}`, "Signature-Input: a=()"]],
    ["a scheme without a token", () => ["Authorization: Bearer"]],
    ["two words", (t) => [`Authorization: Bearer ${t} ${t}`]],
    ["commas", (t) => [`Authorization: Bearer ${t}, Bearer ${t}`]],
    ["a quoted token", (t) => [`Authorization: Bearer "${t}"`]],
    ["an empty API key", () => ["X-Api-Key:"]],
  ])("%s: 400, whoever's it is", async (_title, fieldsOf) => {
    const answer = await exchange(fieldsOf(token, issuer.apiKey));
    expect(statusOf(answer)).toBe(400);
    expect(answer).toContain(`realm="${API}", error="invalid_request", scope="time:read"`);
  });

  test("a credential in the URL is 400, and a repeated one is no way around", async () => {
    for (const query of [`access_token=${token}`, `x=1&API-Key=${issuer.apiKey}`, "token="]) {
      expect((await ask(`/orders?${query}`)).status, query).toBe(400);
    }
  });

  test("what a caller says of proxies, hosts and methods decides nothing", async () => {
    const claims = {
      "x-forwarded-host": "evil.example",
      "x-forwarded-proto": "http",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-uri": "/open",
      "x-original-url": "/open",
      "x-rewrite-url": "/open",
      "x-http-method-override": "DELETE",
      forwarded: "host=evil.example",
    };
    expect((await ask("/orders", claims)).status).toBe(401);
    // The authority that was signed is the resource's, whatever Host says.
    expect((await ask("/orders", { ...claims, ...(await signed("/orders")) })).status).toBe(200);
    const elsewhere = { method: "GET", url: new URL("https://evil.example/orders") };
    const wrong = await signRequest(issuer.signatureKey, elsewhere, issuer.server.now());
    expect((await ask("/orders", { host: "evil.example", ...wrong })).status).toBe(401);
  });

  test("a signature is for one method, one path and one query, as they were sent", async () => {
    expect((await ask("/orders", await signed("/orders?a=1"))).status).toBe(401);
    expect((await ask("/orders?a=1", await signed("/orders"))).status).toBe(401);
    expect((await ask("/other", await signed("/orders"))).status).toBe(401);
    expect((await ask("/orders", await signed("/orders", { method: "POST" }))).status).toBe(401);
    const query = "?a=%2F%2e%2E&b=%C3%BC&&=";
    expect((await ask(`/orders${query}`, await signed(`/orders${query}`))).status).toBe(200);
    const headers = await signed("/orders");
    expect((await ask("/orders", headers)).status).toBe(200);
    expect((await ask("/orders", headers)).status).toBe(401);
  });

  test("a signed body is checked by its bytes, and the route has it too", async () => {
    for (const body of ['{"a":1}', "x".repeat(300_000)]) {
      const headers = { "content-type": "text/plain" };
      const good = { ...headers, ...(await signed("/orders", { method: "POST", body })) };
      expect(await ask("/orders", good, { method: "POST", body })).toMatchObject({
        status: 200,
        body: { via: "http_signature", body },
      });
      const bad = { ...headers, ...(await signed("/orders", { method: "POST", body })) };
      const changed = await ask("/orders", bad, { method: "POST", body: `${body} ` });
      expect(changed.status).toBe(401);
      // A signature that leaves the body out is for a request without one.
      const bare = { ...headers, ...(await signed("/orders", { method: "POST" })) };
      expect((await ask("/orders", bare, { method: "POST", body })).status).toBe(401);
    }
    // With a token nobody reads it before the route.
    const plain = { authorization: `Bearer ${token}`, "content-type": "text/plain" };
    const sent = await ask("/orders", plain, { method: "POST", body: "hello" });
    expect(sent).toMatchObject({ status: 200, body: { body: "hello" } });
  });

  test("HEAD and OPTIONS are guarded as GET is, and HEAD has no body", async () => {
    for (const method of ["HEAD", "OPTIONS"]) {
      const refused = await ask("/orders", {}, { method });
      expect(refused.status, method).toBe(401);
      expect(refused.headers.get("www-authenticate")).toBe(challenge());
      const authorization = `Bearer ${token}`;
      expect((await ask("/orders", { authorization }, { method })).status, method).toBe(200);
    }
    expect((await ask("/orders", {}, { method: "HEAD" })).body).toBeUndefined();
  });

  test.each(["//orders", "/orders/", "/orders/../orders", "/%6frders", "/orders%2f", "/ORDERS"])(
    "no spelling of a path gets around the guard: %s",
    async (path) => {
      const answer = await exchange([], path);
      expect([401, 404]).toContain(statusOf(answer));
    },
  );

  test("what is revoked is refused as soon as it is heard, without a restart", async () => {
    const doomed = await issuer.token();
    const headers = { authorization: `Bearer ${doomed}` };
    expect((await ask("/orders", headers)).status).toBe(200);
    await issuer.server.postAs(issuer.client, "/oauth2/revoke", { token: doomed });
    await expect.poll(async () => (await ask("/orders", headers)).status).toBe(401);
    expect((await ask("/orders")).status).toBe(200);
  });

  test("while what it needs is away it is 503, and nobody is let through", async () => {
    current = away;
    const cases = {
      "keys-unavailable": { authorization: `Bearer ${token}` },
      "auth-server-unavailable": { "x-api-key": issuer.apiKey },
    };
    for (const [code, headers] of Object.entries(cases)) {
      const answer = await ask("/orders", headers);
      expect(answer, code).toMatchObject({
        status: 503,
        body: { type: `urn:daykey:problem:${code}` },
      });
      expect(answer.headers.get("retry-after")).toBe("1");
    }
    expect((await ask("/orders", {})).status).toBe(401);
  });

  test.each(STALE_POLICIES)(
    "while no revocation is heard and nobody can be asked it is 503, by policy $kind",
    async (policy) => {
      current = deaf[STALE_POLICIES.indexOf(policy)] ?? guard;
      await expect.poll(() => current.health().keys).toBeUndefined();
      const answer = await ask("/orders");
      const type = "urn:daykey:problem:revocations-unknown";
      expect(answer).toMatchObject({ status: 503, body: { type } });
      expect(answer.headers.get("retry-after")).toBe("1");
      expect((await ask("/orders", { authorization: `Bearer ${token}x` })).status).toBe(401);
    },
  );

  test.each(["with", "without"])(
    "a guard %s a credential that was closed refuses everything with 503, whatever it knew",
    async (which) => {
      current = createGuard({
        issuer: ISSUER,
        resource: API,
        authServerUrl: issuer.server.url,
        credential: which === "with" ? issuer.credential : undefined,
        log: createTestLog().log,
      });
      await current.ready();
      const headers = { authorization: `Bearer ${token}` };
      expect((await ask("/orders", headers)).status).toBe(200);
      await current.close();
      for (const each of [headers, { "x-api-key": issuer.apiKey }, await signed("/orders"), {}]) {
        const answer = await ask("/orders", each);
        expect(answer).toMatchObject({ status: 503, body: { type: "about:blank" } });
        expect(answer.headers.get("retry-after")).toBe("1");
      }
    },
  );

  test("without a credential of its own it takes JWTs until their end, and says so", async () => {
    current = alone;
    const answer = await ask("/orders");
    expect(answer).toMatchObject({ status: 200, body: { revocation: "until-expiry" } });
    const opaque = { authorization: `Bearer ${await issuer.opaqueToken()}` };
    expect((await ask("/orders", opaque)).status).toBe(401);
    expect((await ask("/orders", { "x-api-key": issuer.apiKey })).status).toBe(401);
    expect((await ask("/orders", await signed("/orders"))).status).toBe(401);
    expect(lines.filter(({ event }) => event === "until_expiry").length).toBe(1);
  });
});
