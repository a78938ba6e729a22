import { afterAll, beforeAll, expect, test } from "vitest";

import { type AppServer, startAppServer } from "@daykey/service/test/app-server";
import { OAUTH_FORMAT } from "../oauth-errors.ts";
import { readForm } from "./form.ts";

let server: AppServer;
beforeAll(async () => {
  server = await startAppServer({
    format: OAUTH_FORMAT,
    addRoutes: (router) =>
      router.post("/read", async (ctx) => {
        ctx.body = Object.fromEntries(await readForm(ctx.req));
      }),
  });
});
afterAll(() => server.stop());

const FORM = "application/x-www-form-urlencoded";

async function post(body: string | Uint8Array<ArrayBuffer>, contentType: string | null = FORM) {
  const headers: Record<string, string> =
    contentType === null ? {} : { "content-type": contentType };
  // Bytes, because fetch would add a Content-Type for a string.
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const response = await fetch(`${server.url}/read`, { method: "POST", headers, body: bytes });
  return { status: response.status, body: await response.json() };
}

const refused = (description: string) => ({
  error: "invalid_request",
  error_description: description,
});

test.each([
  ["a=b&c=d", { a: "b", c: "d" }],
  ["a=b+c%20d%2B", { a: "b c d+" }],
  ["a=b=c", { a: "b=c" }],
  ["%61=b", { a: "b" }],
  ["a=%E2%82%AC&b=€", { a: "€", b: "€" }],
  ["&&a=b&", { a: "b" }],
  ["c[d]=e&f.g=h", { "c[d]": "e", "f.g": "h" }],
  ["__proto__=a", JSON.parse('{"__proto__":"a"}')],
  ["", {}],
])("%j is read as %j", async (body, form) => {
  expect(await post(body)).toEqual({ status: 200, body: form });
});

test("a parameter without a value counts as absent (RFC 6749 §3.2)", async () => {
  expect(await post("scope=&resource&a=b")).toEqual({ status: 200, body: { a: "b" } });
});

test.each(["a=b&a=b", "a=b&a=c", "a=&a=b", "a&a", "a=b&%61=c"])(
  "H5: a parameter given twice is refused (RFC 6749 §3.2): %j",
  async (body) => {
    expect(await post(body)).toEqual({
      status: 400,
      body: refused("A parameter is given more than once."),
    });
  },
);

test.each(["a=%", "a=%4", "a=%zz", "%=b", "a=%C0%80", "a=%FF", "a=%ED%A0%80", "a=%E2%82"])(
  "H7: malformed percent-encoding or UTF-8 is refused: %j",
  async (body) => {
    expect(await post(body)).toEqual({
      status: 400,
      body: refused("The request body is not correctly percent-encoded UTF-8."),
    });
  },
);

test.each([[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]])(
  "H7: raw bytes that are no UTF-8 are refused: %j",
  async (...bytes) => {
    const { status } = await post(Uint8Array.from([0x61, 0x3d, ...bytes]));
    expect(status).toBe(400);
  },
);

test.each(["a=%00", "a=\0", "a=b%0D%0Ac", "a\n=b", "a=%1B[31m", "a=%7F", "a=%C2%85", "%00=a"])(
  "H7: control characters are refused: %j",
  async (body) => {
    expect(await post(body)).toEqual({
      status: 400,
      body: refused("A parameter holds a control character."),
    });
  },
);

test.each([
  `${FORM};charset=UTF-8`,
  `${FORM};charset=utf8`,
  `${FORM};charset=us-ascii`,
  `${FORM};charset="ISO-8859-1"`,
  `${FORM}; Charset="utf-8"`,
  "APPLICATION/X-WWW-FORM-URLENCODED",
  `${FORM} ; charset=utf-8 ;`,
  `${FORM}; boundary=x`,
])("H4: Content-Type %j is a form's", async (contentType) => {
  expect(await post("a=b", contentType)).toEqual({ status: 200, body: { a: "b" } });
});

test.each([
  null,
  "application/json",
  "multipart/form-data; boundary=x",
  "text/plain",
  `${FORM}x`,
  `${FORM}; charset=utf-16`,
  `${FORM}; charset=utf-8; charset=us-ascii`,
  `${FORM}; charset`,
  `${FORM}; charset="utf-8`,
  `${FORM}, application/json`,
])("H4: Content-Type %j is refused with 415", async (contentType) => {
  expect(await post("a=b", contentType)).toEqual({
    status: 415,
    body: refused("The request body must be application/x-www-form-urlencoded in UTF-8."),
  });
});

test("H4: 16 KiB are read, one byte more is refused with 413", async () => {
  expect((await post(`a=${"b".repeat(16_382)}`)).status).toBe(200);
  expect(await post(`a=${"b".repeat(16_383)}`)).toEqual({
    status: 413,
    body: refused("The request body is larger than 16 KiB."),
  });
});

const HEAD = `POST /read HTTP/1.1\r\nHost: a\r\nContent-Type: ${FORM}\r\n`;

test("H4: the cap holds while an endless body streams in", async () => {
  const socket = await server.open();
  socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
  const chunk = `1000\r\n${"a".repeat(4096)}\r\n`;
  const endless = setInterval(() => socket.write(chunk), 1);
  const [first] = (await new Promise((resolve) =>
    socket.once("data", (data) => resolve([data.toString()])),
  )) as [string];
  clearInterval(endless);
  expect(first).toMatch(/^HTTP\/1.1 413 [^]*\r\nConnection: close\r\n[^]*larger than 16 KiB/);
  socket.destroy();
});

test("a body cut short by its sender is no failure of the server", async () => {
  const before = server.lines.length;
  const socket = await server.open();
  socket.write(`${HEAD}Content-Length: 100\r\n\r\na=b`);
  await new Promise((resolve) => setTimeout(resolve, 20));
  socket.destroy();
  await expect
    .poll(() => server.lines.slice(before))
    .toMatchObject([{ level: "info", msg: "request", route: "/read", status: 400 }]);
});
