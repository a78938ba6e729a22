/** Requests of a program on this machine, on their way out: with a token, or not at all. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { API } from "@daykey/auth-server/test/auth-server";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type EgressBench, startEgressBench, type TestEgress } from "../test/egress.ts";
import { send } from "../test/wire.ts";

let bench: EgressBench;
let egress: TestEgress;
beforeAll(async () => {
  bench = await startEgressBench();
  const { upstreamUrl: url } = bench;
  const credential = await bench.credentialFile("billing.json");
  egress = await bench.start(`
upstreams:
  billing: { url: '${url}', credential: '${credential}', timeout_seconds: 1 }
  based: { url: '${url}/v2/', credential: '${credential}', scope: ['time:read'] }
  day: { url: '${url}', credential: '${credential}', method: client_secret_hash_day }
  basic: { url: '${url}', credential: '${credential}', method: client_secret_basic }
  post: { url: '${url}', credential: '${credential}', method: client_secret_post }
  gone: { url: 'http://127.0.0.1:1', credential: '${credential}' }
`);
});
afterAll(() => bench.stop());
beforeEach(() => bench.reset());

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${egress.url}${path}`, { redirect: "manual", ...init });

const claimsOf = (bearer: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(bearer.split(".")[1] ?? "", "base64url").toString()) as Record<
    string,
    unknown
  >;

test.each(["billing", "day", "basic", "post"])(
  "a request to /%s goes to the upstream with a token, held for the next",
  async (name) => {
    const response = await ask(`/${name}/orders/1?x=%2F`);
    expect([response.status, await response.text()]).toEqual([200, "hello"]);
    await (await ask(`/${name}/`)).text();
    expect(bench.seen.map(({ line }) => line)).toEqual(["GET /orders/1?x=%2F", "GET /"]);
    expect(claimsOf(bench.bearer())).toMatchObject({ aud: API });
    expect(bench.bearer(0)).toBe(bench.bearer(1));
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  },
);

test("the upstream's own path comes first, and its scope is asked for", async () => {
  await (await ask("/based/orders")).text();
  await (await ask("/based")).text();
  expect(bench.seen.map(({ line }) => line)).toEqual(["GET /v2/orders", "GET /v2/"]);
  expect(claimsOf(bench.bearer())).toMatchObject({ scope: "time:read" });
});

test("RFC 9110 §7.6.1: what belongs to one connection, and every other credential, stays here", async () => {
  const bytes = [
    "GET /billing/x HTTP/1.1",
    "Host: localhost",
    "Connection: close, X-Mine",
    "X-Mine: 1",
    "Keep-Alive: 5",
    "Proxy-Authorization: Basic eDp4",
    "TE: trailers",
    "Upgrade: websocket",
    "Authorization: Bearer of-the-caller",
    "Authorization: Bearer again",
    "X-Api-Key: dkk_x",
    "X-PA-AUTH-TOKEN: x",
    "X-Twice: 1",
    "X-Twice: 2",
  ];
  const { status, headers } = await send(egress.publicPort, `${bytes.join("\r\n")}\r\n\r\n`);
  expect(status).toBe(200);
  expect(headers.has("x-hop")).toBe(false);
  const { authorization, ...others } = bench.seen[0]?.headers ?? {};
  expect(claimsOf(String(authorization))).toMatchObject({ aud: API });
  expect(others).toEqual({
    host: `127.0.0.1:${new URL(bench.upstreamUrl).port}`,
    connection: "keep-alive",
    "x-twice": "1, 2",
  });
});

describe("a request is refused", () => {
  test.each([
    ["to no upstream", "/", [], 404, "unknown_upstream"],
    ["to an unknown one", "/unknown/x", [], 404, "unknown_upstream"],
    ["to a name of an object's prototype", "/constructor/x", [], 404, "unknown_upstream"],
    ["to another spelling", "/Billing/x", [], 404, "unknown_upstream"],
    ["to a whole URL", "http://billing/billing/x", [], 404, "unknown_upstream"],
    ["that leaves the upstream's path", "/based/../admin", [], 400, "dot_segment"],
    ["that leaves it encoded", "/based/%2e%2E/admin", [], 400, "dot_segment"],
    ["that leaves it by a backslash", "/based/..\\admin", [], 400, "dot_segment"],
    ["that leaves it by an encoded slash", "/based/..%2fadmin", [], 400, "dot_segment"],
    ["that leaves it after one", "/based/x%2F..", [], 400, "dot_segment"],
    ["that leaves it by an encoded backslash", "/based/.%2e%5Cadmin", [], 400, "dot_segment"],
    ["that leaves it with a parameter", "/based/..;x/admin", [], 400, "dot_segment"],
    ["of a page in a browser", "/billing/x", ["Origin: https://evil.example"], 403, "browser"],
    ["of a browser", "/billing/x", ["Sec-Fetch-Site: none"], 403, "browser"],
    ["by another name for this machine", "/billing/x", ["Host: evil.example"], 421, "other_host"],
    ["by no name", "/billing/x", ["Host:"], 421, "other_host"],
    ["to an upstream that does not answer", "/gone/x", [], 502, "upstream_unavailable"],
  ])("%s", async (_, path, headers, status, reason) => {
    const host = headers.some((header) => header.startsWith("Host:")) ? [] : ["Host: localhost"];
    const lines = [`GET ${path} HTTP/1.1`, "Connection: close", ...host, ...headers];
    const told = await send(egress.publicPort, `${lines.join("\r\n")}\r\n\r\n`);
    expect([told.status, JSON.parse(told.body).status]).toEqual([status, status]);
    expect(egress.lines.at(-1)).toMatchObject({ status, reason });
    expect(bench.seen).toEqual([]);
  });

  test("late, when the upstream is", async () => {
    bench.answer(() => undefined);
    const { status } = await ask("/billing/x");
    expect(status).toBe(504);
  });

  const OK = "HTTP/1.1 200 OK\r\n";
  test.each([
    ["never ends its headers", 504, OK, "X-A: 1\r\n"],
    ["sends more headers than are read", 502, OK + "X-A: 1\r\n".repeat(10_000), ""],
    ["begins a line that never ends", 502, `HTTP/1.1 200 ${"x".repeat(100_000)}`, "x"],
    ["goes on saying that it goes on", 504, "", "HTTP/1.1 103 Early Hints\r\n\r\n"],
    ["is no HTTP", 502, "SSH-2.0-OpenSSH_9.2\r\n", ""],
  ])("when the upstream %s: %i", async (_, status, first, next) => {
    const ended = new Promise<void>((resolve) => {
      bench.answer(({ socket }) => {
        socket.write(first);
        const going = setInterval(() => next !== "" && socket.write(next), 10);
        socket
          .on("error", () => {})
          .once("close", () => {
            clearInterval(going);
            resolve();
          });
      });
    });
    expect((await ask("/billing/x")).status).toBe(status);
    await ended;
  });

  test("unanswered, when the upstream switches protocols", async () => {
    bench.answer((req) => {
      req.socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
      );
    });
    const { status } = await ask("/billing/x");
    expect(status).toBe(502);
  });

  test("CONNECT: it is no proxy for anything else", async () => {
    const { status } = await send(
      egress.publicPort,
      "CONNECT billing:443 HTTP/1.1\r\nHost: billing\r\n\r\n",
    );
    expect(status).toBe(501);
  });
});

test("a redirect is an answer: the token goes nowhere else", async () => {
  bench.answer(async (req, res) => {
    await bench.see(req);
    res
      .writeHead(302, { Location: `http://localhost:${new URL(bench.upstreamUrl).port}/elsewhere` })
      .end();
  });
  const { status, headers } = await ask("/billing/x");
  expect([status, headers.get("location"), bench.seen.length]).toEqual([
    302,
    `http://localhost:${new URL(bench.upstreamUrl).port}/elsewhere`,
    1,
  ]);
});

test("content passes both ways as it comes, whatever its size", async () => {
  const size = 32 * 1024 * 1024;
  const body = Buffer.alloc(size, "x");
  bench.answer((req, res) => void req.pipe(res));
  const response = await ask("/billing/x", { method: "POST", body });
  const echoed = Buffer.from(await response.arrayBuffer());
  const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  expect([echoed.length, digest(echoed)]).toEqual([size, digest(body)]);
});

test("an answer that begins is passed on before it ends", async () => {
  bench.answer((_req, res) => void res.write("first"));
  const response = await ask("/billing/x");
  const reader = response.body?.getReader();
  const { value } = (await reader?.read()) ?? {};
  expect(Buffer.from(value ?? []).toString()).toBe("first");
  await reader?.cancel();
});

test("a caller who asks whether to send on is told so; the upstream is not asked", async () => {
  const socket = connect(egress.publicPort, "127.0.0.1");
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
  socket.write(
    "POST /billing/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
  );
  await expect.poll(() => text).toContain("100 Continue");
  socket.write("hello");
  await once(socket, "close");
  expect(text).toContain("200 OK");
  expect([bench.seen[0]?.body, bench.seen[0]?.headers.expect]).toEqual(["hello", undefined]);
});

test("an answer that is cut short is not passed for a whole one", async () => {
  bench.answer((_req, res) => {
    res.writeHead(200, { "Content-Length": "10" }).write("half");
    setImmediate(() => res.destroy());
  });
  const response = await ask("/billing/x");
  await expect(response.arrayBuffer()).rejects.toThrow(TypeError);
});
