/** The node adapter before `node:http2`, whose requests and responses only look like those of `node:http`. */
import { once } from "node:events";
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { signRequest } from "@daykey/client/internal/signed-fetch";
import { createTestLog } from "@daykey/service/test/log";
import { afterAll, beforeAll, expect, test } from "vitest";
import { API, ISSUER, type RealIssuer, startRealIssuer } from "../test/real-issuer.ts";
import { createGuard, type Guard } from "./guard.ts";
import { protect } from "./node.ts";

let issuer: RealIssuer;
let guard: Guard;
let server: Http2Server;
let session: ClientHttp2Session;
let token: string;
beforeAll(async () => {
  issuer = await startRealIssuer();
  guard = createGuard({
    issuer: ISSUER,
    resource: API,
    authServerUrl: issuer.server.url,
    credential: issuer.credential,
    log: createTestLog().log,
  });
  await guard.ready();
  token = await issuer.token();
  const quota = { name: "twice", quota: { limit: 2, window: "day" } } as const;
  const orders = protect<Http2ServerRequest, Http2ServerResponse>(
    guard,
    "time:read",
    async (req, res, access) => {
      const { length } = await buffer(req);
      res.end(JSON.stringify({ client: access.clientId, via: access.via, length }));
    },
  );
  const twice = protect<Http2ServerRequest, Http2ServerResponse>(
    guard,
    "time:read",
    (_req, res) => void res.end("{}"),
    { quota },
  );
  server = createServer((req, res) => void (req.url === "/twice" ? twice : orders)(req, res));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // Node would send no field twice; its types do not know the option yet.
  const repeating = { strictSingleValueFields: false } as object;
  session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, repeating);
});
afterAll(async () => {
  session.destroy();
  server.close();
  await guard.close();
  await issuer.stop();
});

type Fields = Record<string, string | string[]>;

/** @param body undefined ends the stream with the headers */
async function ask(
  fields: Fields,
  {
    method = "GET",
    path = "/orders",
    body,
  }: { method?: string; path?: string; body?: string } = {},
) {
  const stream = session.request(
    { ":method": method, ":path": path, ...fields },
    { endStream: body === undefined },
  );
  if (body !== undefined) stream.end(body);
  const [headers] = (await once(stream, "response")) as [Record<string, string | undefined>];
  const received = await text(stream);
  const answer: unknown = received === "" ? undefined : JSON.parse(received);
  return { status: Number(headers[":status"]), headers, body: answer };
}

async function signed(method: string, body?: string): Promise<Fields> {
  const bytes = body === undefined ? undefined : new TextEncoder().encode(body);
  const toSign = { method, url: new URL("/orders", API), body: bytes };
  return { ...(await signRequest(issuer.signatureKey, toSign, issuer.server.now())) };
}

test("HTTP/2: who may is let through, and the rest is refused as over HTTP/1.1", async () => {
  const authorization = `Bearer ${token}`;
  const client = issuer.client.clientId;
  expect(await ask({ authorization })).toMatchObject({ status: 200, body: { client } });
  const refused = await ask({});
  expect(refused).toMatchObject({
    status: 401,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
    body: { title: "A credential is required" },
  });
  expect(refused.headers["www-authenticate"]).toMatch(/^Bearer realm=.*scope="time:read"/);
  expect(await ask({}, { method: "HEAD" })).toMatchObject({ status: 401, body: undefined });
  const cases: [number, Fields][] = [
    [401, { authorization: `${authorization}x` }],
    [400, { authorization: [authorization, authorization] }],
    [400, { authorization: [authorization, "Basic YTpi"] }],
    [400, { authorization, "x-api-key": issuer.apiKey }],
    [400, { "x-api-key": [issuer.apiKey, issuer.apiKey] }],
    [200, { "x-api-key": issuer.apiKey }],
    // What HTTP/2 calls its method and authority decides nothing about a signature's.
    [200, { ...(await signed("GET")), ":authority": "evil.example" }],
    [401, { ...(await signed("POST")) }],
  ];
  for (const [status, fields] of cases) expect((await ask(fields)).status).toBe(status);
});

test("HTTP/2: a quota is told, and 429 has Retry-After", async () => {
  const fields = { authorization: `Bearer ${token}` };
  const answers = [];
  for (let count = 0; count < 3; count++) answers.push(await ask(fields, { path: "/twice" }));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
  expect(answers[0]?.headers["ratelimit-policy"]).toBe('"twice day";q=2;w=86400');
  expect(Number(answers[2]?.headers["retry-after"])).toBeGreaterThan(0);
});

test("HTTP/2: a signed body is checked by its bytes, and the route has it too", async () => {
  // Larger than the window of a stream, and in no Content-Length.
  for (const body of ["", '{"a":1}', "x".repeat(300_000)]) {
    const good = await ask(await signed("POST", body), { method: "POST", body });
    expect(good, `${body.length}`).toMatchObject({
      status: 200,
      body: { via: "http_signature", length: body.length },
    });
    const changed = { method: "POST", body: `${body} ` };
    expect((await ask(await signed("POST", body), changed)).status).toBe(401);
    expect((await ask(await signed("POST"), changed)).status).toBe(401);
  }
  // Nothing at all, and that is what was signed.
  expect((await ask(await signed("POST"), { method: "POST" })).status).toBe(200);
  const large = { method: "POST", body: "x".repeat(300_000) };
  expect(await ask({ authorization: `Bearer ${token}` }, large)).toMatchObject({
    body: { length: 300_000 },
  });
});
