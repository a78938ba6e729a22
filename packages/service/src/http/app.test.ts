import { afterAll, beforeAll, expect, test } from "vitest";

import { type AppServer, startAppServer } from "../../test/app-server.ts";

let server: AppServer;
beforeAll(async () => {
  server = await startAppServer({ trustedProxies: ["127.0.0.2"] });
});
afterAll(() => server.stop());

const HOST = "Host: a.example\r\n";

/** One request on a connection of its own: the status, the lower-case headers and the body. */
async function exchange(request: string) {
  return parse(await server.exchange(request));
}

function parse(raw: string) {
  const [head = "", ...rest] = raw.split("\r\n\r\n");
  const [statusLine = "", ...fields] = head.split("\r\n");
  const headers = Object.fromEntries(
    fields.map((field) => {
      const colon = field.indexOf(": ");
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 2)];
    }),
  );
  return { status: Number(statusLine.split(" ")[1]), headers, body: rest.join("\r\n\r\n") };
}

const get = (path: string, fields = HOST) =>
  exchange(`GET ${path} HTTP/1.1\r\n${fields}Connection: close\r\n\r\n`);

const NOT_FOUND = '{"type":"about:blank","title":"Not Found","status":404}';
const PATHS = ["POST /ignores-body", "POST /form", "GET /things/1", "POST /nowhere", "GET /livez"];

const MALFORMED = {
  "both length and chunks": "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "chunks, then a length": "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
  "two lengths": "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
  "two equal lengths": "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
  "a list of lengths": "Content-Length: 4, 4\r\n\r\nabcd",
  "a signed length": "Content-Length: +4\r\n\r\nabcd",
  "a bare LF after a chunk size": "Transfer-Encoding: chunked\r\n\r\n4\nabcd\r\n0\r\n\r\n",
  "a bare LF after a chunk": "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\n0\r\n\r\n",
  "a bare LF in a chunk extension": "Transfer-Encoding: chunked\r\n\r\n4;a\nabcd\r\n0\r\n\r\n",
  "a chunk longer than it says": "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
  "a chunk size that is no number": "Transfer-Encoding: chunked\r\n\r\n0x4\r\nabcd\r\n0\r\n\r\n",
  "an unknown coding": "Transfer-Encoding: foo\r\n\r\nabcd",
  "chunked, but not last": "Transfer-Encoding: chunked, foo\r\n\r\n0\r\n\r\n",
  "chunked twice": "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
  "chunked in two headers":
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "a compressed body": "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
  "a space before the colon": "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
  "a folded header": "X-A: b\r\n c\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
  "a NUL in a header": "X-A: \0\r\n\r\n",
  "a bare CR in a header": "X-A: b\rc\r\n\r\n",
  "a bare LF after a header": "X-A: b\n\r\n",
};

test.each(Object.entries(MALFORMED))(
  "H1: %s is answered 400 and the connection is closed, on any route",
  async (_, rest) => {
    for (const path of PATHS) {
      const { status, headers } = await exchange(
        // The second request must not be seen by anyone.
        `${path} HTTP/1.1\r\n${HOST}${rest}GET /smuggled HTTP/1.1\r\n${HOST}\r\n`,
      );
      expect([path, status, headers["connection"]]).toEqual([path, 400, "close"]);
    }
    expect(JSON.stringify(server.lines)).not.toContain("smuggled");
  },
);

test("H1: malformed framing is seen also when it comes after the route is done", async () => {
  const socket = await server.open();
  socket.write(`POST /ignores-body HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`);
  await new Promise((resolve) => setTimeout(resolve, 20));
  socket.write("4\nabcd\r\n0\r\n\r\n");
  const raw = await new Promise((resolve) => socket.once("data", resolve));
  expect(parse(String(raw)).status).toBe(400);
});

test("H1: chunks are not for HTTP/1.0 (RFC 9112 §6.1)", async () => {
  const { status } = await exchange(
    `POST /ignores-body HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  );
  expect(status).toBe(400);
});

test("H1: a body that is ignored is read to its end, and the connection goes on", async () => {
  const { body } = await exchange(
    `POST /ignores-body HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nabcd` +
      `GET /things/2 HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`,
  );
  expect(body).toMatch(/^\{"done":true\}HTTP\/1.1 200 OK[^]*\{"id":"2"\}$/);
});

test.each([
  ["none", ""],
  ["two", `${HOST}${HOST}`],
  ["two that differ", `${HOST}hOsT: b.example\r\n`],
  ...["", "a b", "a/b", "a@b", "a\tb", "a:b", "a:1:2", "a,b", "[::1", "a?b", "ä", "a:123456"].map(
    (host) => [JSON.stringify(host), `Host: ${host}\r\n`],
  ),
])("H2: a request with %s for its Host is answered 400 and closed", async (_, fields = "") => {
  const { status, headers, body } = await exchange(`GET /things/1 HTTP/1.1\r\n${fields}\r\n`);
  expect([status, headers["connection"]]).toEqual([400, "close"]);
  expect(JSON.parse(body)).toMatchObject({ type: "about:blank", status: 400 });
});

test("H2: only HTTP/1.0 may have no Host (RFC 9112 §3.2)", async () => {
  for (const path of ["/livez", "/things/1"]) {
    expect((await exchange(`GET ${path} HTTP/1.0\r\n\r\n`)).status).toBe(200);
  }
  for (const fields of [`${HOST}${HOST}`, "Host: a b\r\n", "Host:\r\n"]) {
    expect((await exchange(`GET /livez HTTP/1.0\r\n${fields}\r\n`)).status).toBe(400);
  }
});

test.each([
  "http://[",
  "http://a:b/things/1?access_token=canary",
  "http://a:99999/things/1",
  "http://canary@a/things/1",
  "http:///things/1",
  "http://a/things/1#canary",
  "ftp://a/things/1",
  "things/1",
  "/things/1#canary",
  "/things/\u00e9",
  "*",
  "http://a b/",
])("H1: the request target %j is answered 400, and told to nobody", async (target) => {
  const warned: Error[] = [];
  const onWarning = (warning: Error) => void warned.push(warning);
  process.on("warning", onWarning);
  const { status, headers } = await get(target);
  process.off("warning", onWarning);
  expect([status, headers["connection"], warned]).toEqual([400, "close", []]);
  expect(JSON.stringify(server.lines)).not.toContain("canary");
});

test.each([
  ["http://a.example/things/1?a=b", '{"id":"1"}'],
  ["HTTPS://b.example:8443/things/1", '{"id":"1"}'],
  ["http://[::1]:80/things/1", '{"id":"1"}'],
  ["http://a.example", NOT_FOUND],
  ["http://a.example?a=b", NOT_FOUND],
])("an absolute request target is its path (RFC 9112 §3.2.2): %s", async (target, answer) => {
  expect((await get(target)).body).toBe(answer);
});

test.each(["a", "a.example:8080", "192.0.2.1", "[::1]:4000", "a_b.example", "a.example."])(
  "H2: the Host %j is fine",
  async (host) => {
    expect((await get("/things/1", `Host: ${host}\r\n`)).status).toBe(200);
  },
);

test.each([
  "Authorization: Bearer a\r\nauthorization: Bearer b\r\n",
  "Content-Type: a/b\r\nContent-Type: c/d\r\n",
])("V8: a header that counts once is refused twice: %j", async (fields) => {
  const { status, body } = await get("/things/1", HOST + fields);
  expect([status, JSON.parse(body)]).toMatchObject([400, { status: 400 }]);
});

test("H3: what X-Forwarded-* says is not believed of just anyone", async () => {
  const fields =
    "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: b.example\r\nX-Forwarded-Proto: https\r\n" +
    "X-Request-Id: canary\r\nForwarded: for=6.6.6.6\r\n";
  const { headers } = await get("/things/1", HOST + fields);
  expect(server.lines.at(-1)).toMatchObject({
    address: "127.0.0.1",
    requestId: headers["x-request-id"],
  });
  expect(JSON.stringify(server.lines.at(-1))).not.toMatch(/6\.6\.6\.6|b\.example|canary/);
});

test.each(["gzip", "identity", "br, gzip", ""])(
  "H4: Content-Encoding %j is refused",
  async (coding) => {
    const { status } = await exchange(
      `POST /ignores-body HTTP/1.1\r\n${HOST}Content-Encoding: ${coding}\r\n` +
        "Content-Length: 4\r\nConnection: close\r\n\r\nabcd",
    );
    expect(status).toBe(415);
  },
);

test("H4: a body that nobody reads has a cap too", async () => {
  const big = "a".repeat(70_000);
  for (const body of [`Content-Length: 70000\r\n\r\n${big}`, chunked(big)]) {
    const { status, headers } = await exchange(`POST /ignores-body HTTP/1.1\r\n${HOST}${body}`);
    expect([status, headers["connection"]]).toEqual([413, "close"]);
  }
});

test("a refusal stands, however large the body that came with it", async () => {
  const { status } = await exchange(
    `POST /nowhere HTTP/1.1\r\n${HOST}Connection: close\r\n${chunked("a".repeat(70_000))}`,
  );
  expect(status).toBe(404);
});

function chunked(body: string): string {
  return `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
}

test("H9: too many headers, or too long ones, are 431; none is dropped silently", async () => {
  for (const fields of ["X-A: b\r\n".repeat(1200), `X-A: ${"b".repeat(17_000)}\r\n`]) {
    const { status, headers } = await get("/things/1", HOST + fields);
    expect([status, headers["connection"]]).toEqual([431, "close"]);
  }
  const second = await get("/things/1", `${HOST}${"X-A: b\r\n".repeat(900)}${HOST}`);
  expect(second.status).toBe(400);
});

test.each(["/things/1", "/nowhere", "/livez"])(
  "H11: the headers of any answer, %s",
  async (path) => {
    const { headers } = await get(path);
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "x-request-id": expect.stringMatching(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/),
    });
    expect(headers).not.toHaveProperty("server");
    expect(headers).not.toHaveProperty("x-powered-by");
  },
);

test.each([
  ["OPTIONS /things/1", 405, "HEAD, GET"],
  ["TRACE /things/1", 405, "HEAD, GET"],
  ["DELETE /things/1", 405, "HEAD, GET"],
  ["GET /form", 405, "POST"],
  ["PROPFIND /things/1", 501, undefined],
  ["PROPFIND /nowhere", 501, undefined],
  ["OPTIONS *", 404, undefined],
  ["OPTIONS /nowhere", 404, undefined],
  ["GET /THINGS/1", 404, undefined],
  ["GET /things/1/", 404, undefined],
  ["GET //things/1", 404, undefined],
])("V12: %s is answered %i", async (target, status, allow) => {
  const answer = await exchange(`${target} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
  expect([answer.status, answer.headers["allow"]]).toEqual([status, allow]);
  expect(JSON.parse(answer.body)).toHaveProperty("status", status);
});

test("V12: HEAD is GET without the body, errors included", async () => {
  for (const path of ["/things/1", "/nowhere"]) {
    const head = await exchange(`HEAD ${path} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
    const whole = await get(path);
    const fixed = { date: "", "x-request-id": "" };
    expect({ ...head, headers: { ...head.headers, ...fixed } }).toEqual({
      ...whole,
      headers: { ...whole.headers, ...fixed },
      body: "",
    });
  }
});

test("L1, L3: the request's line has the route's pattern, never what a caller wrote", async () => {
  const canary = "dks_canary%0d%0a%1b[31m";
  await get(
    `/things/${canary}?client_secret=${canary}`,
    `${HOST}Authorization: Bearer ${canary}\r\n`,
  );
  await get(`/${canary}`, `${HOST}User-Agent: ${canary}\r\nReferer: ${canary}\r\n`);
  expect(server.lines.slice(-2)).toEqual([
    line({ route: "/things/:id", status: 200 }),
    line({ route: "unmatched", status: 404 }),
  ]);
  expect(JSON.stringify(server.lines)).not.toContain("canary");
});

function line(fields: object) {
  return {
    level: "info",
    time: expect.any(String),
    name: "test",
    pid: process.pid,
    requestId: expect.any(String),
    method: "GET",
    durationMs: expect.any(Number),
    address: "127.0.0.1",
    msg: "request",
    ...fields,
  };
}

test.each(["2.0", "0.9"])(
  "a request line of HTTP/%s is 505, and the connection ends",
  async (version) => {
    const { status, headers } = await exchange(`GET /things/1 HTTP/${version}\r\n${HOST}\r\n`);
    expect([status, headers["connection"]]).toEqual([505, "close"]);
  },
);

test("an expectation other than 100-continue is refused with 417, in the format", async () => {
  const { status, body } = await get("/things/1", `${HOST}Expect: the-unexpected\r\n`);
  expect([status, JSON.parse(body)]).toMatchObject([417, { type: "about:blank", status: 417 }]);
});
