/** What the log and the metrics tell of access, and what they must not. */
import { scrape } from "@daykey/service/test/metrics";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSigningKey, encodePart, signParts } from "../../test/issuer.ts";
import {
  CLIENT,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";

let api: TestResourceServer;
beforeAll(async () => {
  api = await startResourceServer();
  await api.time(api.token());
});
afterAll(() => api.stop());

const VIA = { via: "access_token" };
const VERIFIED = {
  ...VIA,
  client: CLIENT,
  kid: "k3f9a1c2",
  grant: "019abcde-0000-7000-8000-000000000001",
};

/** The line of a request to `/time`, whole but for these fields. */
const line = (fields: object) => ({
  level: "info",
  time: expect.any(String),
  name: "test",
  pid: process.pid,
  requestId: expect.stringMatching(/^[\da-f-]{36}$/),
  method: "GET",
  route: "/time",
  durationMs: expect.any(Number),
  address: "127.0.0.1",
  msg: "request",
  ...fields,
});

/** The line of the request just answered, which carries the answer's id. */
async function lineOf(options: Parameters<TestResourceServer["request"]>[1]) {
  const { headers } = await api.request("GET /time", options);
  const last = api.lines.at(-1);
  expect(last?.["requestId"]).toBe(headers["x-request-id"]);
  return last;
}

test("L2: an access is logged with its client, kid, grant, address and request id", async () => {
  const token = api.token();
  for (const use of ["verified", "remembered"]) {
    expect(await lineOf({ token }), use).toEqual(line({ status: 200, ...VERIFIED }));
  }
});

test("L2: a request without a credential, or with a malformed one, has its reason", async () => {
  expect(await lineOf({})).toEqual(line({ status: 401, reason: "no_credential" }));
  expect(await lineOf({ headers: { Authorization: "Bearer" } })).toEqual(
    line({ status: 400, error: "invalid-request", reason: "malformed_credential" }),
  );
});

test("L2: a missing scope is logged with the client that lacks it", async () => {
  const token = api.token({ claims: { scope: "other" } });
  expect(await lineOf({ token })).toEqual(
    line({
      status: 403,
      error: "insufficient-scope",
      reason: "insufficient_scope",
      ...VERIFIED,
    }),
  );
});

test("L2: a token the issuer signed is refused with its client, remembered or not", async () => {
  const remembered = api.token();
  await api.time(remembered);
  const now = api.now();
  const tokens = [
    ["expired", api.token({ claims: { exp: now } })],
    ["wrong_aud", api.token({ claims: { aud: "https://other.example" } })],
    ["wrong_iss", api.token({ claims: { iss: "https://other.example" } })],
    ["wrong_typ", api.token({ header: { typ: "JWT" } })],
    ["wrong_nbf", api.token({ claims: { nbf: now + 1 } })],
    ["lives_too_long", api.token({ claims: { exp: now + 3601 } })],
    ["issued_in_the_future", api.token({ claims: { iat: now + 301, exp: now + 900 } })],
  ] as const;
  for (const [reason, token] of tokens) {
    expect(await lineOf({ token }), reason).toEqual(
      line({ status: 401, error: "invalid-token", reason, ...VERIFIED }),
    );
  }
  api.advance(600);
  expect(await lineOf({ token: remembered })).toEqual(
    line({ status: 401, error: "invalid-token", reason: "expired", ...VERIFIED }),
  );
});

test("L2: of a token that nobody vouches for no client is logged", async () => {
  const impostor = { ...createSigningKey(), kid: api.key.kid };
  const tokens = [
    ["wrong_signature", signParts(impostor, api.header(), api.claims())],
    ["unknown_kid", api.token({ header: { kid: "unknown" } })],
    ["algorithm_of_another_key", api.token({ header: { alg: "RS256" } })],
    ["malformed_header", signParts(api.key, "{", api.claims())],
    ["malformed", "x"],
  ] as const;
  for (const [reason, token] of tokens) {
    expect(await lineOf({ token }), reason).toEqual(
      line({ status: 401, error: "invalid-token", reason, ...VIA }),
    );
  }
});

test("L1, L3: nothing a caller wrote gets into the log, wherever it was put", async () => {
  const canary = "canary";
  const encoded = [encodePart(canary), Buffer.from(canary).toString("hex")];
  const before = api.logText().length;
  const hostile = { kid: canary, jku: `https://${canary}.example`, [canary]: canary };
  const tokens = [
    canary,
    `${canary}.${canary}.${canary}`,
    `dkr1.${canary}.${canary}.${canary}`,
    api.token({ header: hostile }),
    api.token({ header: { alg: canary } }),
    api.token({ header: { typ: canary } }),
    api.token({ header: { crit: [canary], [canary]: 1 } }),
    signParts(api.key, `{"${canary}`, `{"${canary}`),
    signParts(api.key, api.header(), `{"${canary}`),
    signParts(api.key, api.header(), `"${canary}"`),
    api.token({ claims: { aud: canary } }),
    api.token({ claims: { iss: canary } }),
    api.token({ claims: { exp: canary } }),
    api.token({ claims: { scope: canary, jti: canary } }),
    signParts(createSigningKey(), api.header(hostile), api.claims({ client_id: canary })),
    api.token(),
  ];
  for (const token of tokens) {
    await api.request("GET /time", { token });
    await api.request("GET /time", { headers: { "X-PA-AUTH-TOKEN": token } });
    await api.request("GET /time", { headers: { Authorization: `Basic ${token}` } });
    await api.request("GET /time", { headers: { Authorization: `${token} ${token}` } });
    await api.request(`GET /time?access_token=${token}`);
    await api.request(`GET /primes/${token}`);
    await api.request(`GET /${token}`);
    await api.request("POST /primes", { body: token, headers: { Cookie: token } });
  }
  const logged = api.logText().slice(before);
  expect(logged.split("\n").length).toBe(tokens.length * 8 + 1);
  expect(logged).not.toContain(canary);
  for (const other of encoded) expect(logged).not.toContain(other);
  for (const token of tokens) {
    for (const part of token.split(".")) expect(logged).not.toContain(part);
  }
});

test("L3: line ends and ANSI sequences in a client's name do not forge a line", async () => {
  const name = 'a\u2028"},{"level":"fatal';
  const before = api.lines.length;
  await api.time(api.token({ claims: { client_id: name } }));
  expect(api.lines.slice(before)).toEqual([line({ status: 200, ...VERIFIED, client: name })]);
  await api.time(api.token({ claims: { client_id: "a\r\n\u001b[31m" } }));
  expect(api.lines.at(-1)).toEqual(
    line({ status: 401, error: "invalid-token", reason: "malformed_claims", ...VIA }),
  );
});

test("L1: an issuer's answer that is no key set does not get into the log", async () => {
  api.issuer.answer((_req, res) => res.end("canary"));
  api.advance(300);
  await api.time(api.token({ header: { kid: "unknown" } }));
  expect(api.lines.filter(({ event }) => event === "jwks_unread")).toEqual([
    expect.objectContaining({
      level: "warn",
      err: expect.objectContaining({ message: "the key set is not JSON" }),
    }),
  ]);
  expect(api.logText()).not.toContain("canary");
});

test("accesses are counted by credential and result", async () => {
  const before = (await scrape(api.privateUrl)).values("access_total");
  await api.request("GET /time");
  await api.request("GET /time?zone=nowhere", { token: api.token() });
  await api.time(api.token({ claims: { scope: "other" } }));
  await api.time(api.token({ claims: { aud: "other" } }));
  await api.request("GET /livez");
  const after = Object.entries((await scrape(api.privateUrl)).values("access_total"));
  const rises = after.map(([labels, value]) => [labels, value - (before[labels] ?? 0)] as const);
  expect(Object.fromEntries(rises.filter(([, by]) => by > 0))).toEqual({
    '{via="none",result="no_credential"}': 1,
    '{via="access_token",result="granted"}': 1,
    '{via="access_token",result="insufficient_scope"}': 1,
    '{via="access_token",result="wrong_aud"}': 1,
  });
});

test("metrics hold neither clients nor anything else a caller chose", async () => {
  await api.request("GET /canary-path?canary-query", { token: api.token() });
  await api.exchange("CANARY /time HTTP/1.1\r\nHost: canary-host\r\nConnection: close\r\n\r\n");
  const metrics = await (await fetch(`${api.privateUrl}/metrics`)).text();
  expect(metrics).toMatch(
    /^http_request_duration_seconds_count\{.*route="\/time",status="200"\} /m,
  );
  expect(metrics).not.toMatch(/canary/i);
  const { via: _via, ...identity } = VERIFIED;
  for (const value of Object.values(identity)) expect(metrics).not.toContain(value);
});
