import { afterAll, beforeAll, expect, test } from "vitest";

import { type AppServer, startAppServer } from "../../test/app-server.ts";

let server: AppServer;
beforeAll(async () => {
  server = await startAppServer();
});
afterAll(() => server.stop());

async function post(body: string | number[], contentType: string | null = "application/json") {
  const headers: Record<string, string> =
    contentType === null ? {} : { "content-type": contentType };
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : Uint8Array.from(body);
  const response = await fetch(`${server.url}/json`, { method: "POST", headers, body: bytes });
  return { status: response.status, body: await response.json() };
}

const problem = (status: number, code: string, title: string, detail: unknown) => ({
  status,
  body: { type: `urn:daykey:problem:${code}`, title, status, detail },
});

test.each([
  ['{"number": 5}', "object"],
  ["123456789012345678901234567890", "bigint"],
  ["1.5", "number"],
  ['"€"', "string"],
])("%s is read as %s", async (body, kind) => {
  expect(await post(body)).toEqual({ status: 200, body: { kind } });
});

test.each([
  "",
  "{",
  "nul",
  "{'a':1}",
  '{"a":1,"a":2}',
  '{"a":1,"\\u0061":2}',
  "[[[[[[[[[1]]]]]]]]]",
  '"\\u0000"',
  '"\u0001"',
  '"\\ud800"',
  "\ufeff{}",
  "1 2",
])("H5, H6, H7: %j is no acceptable JSON", async (body) => {
  expect(await post(body)).toEqual(
    problem(
      400,
      "invalid-json",
      "Bad Request",
      expect.stringMatching(
        /^The request body is not acceptable JSON: [a-z ]+, at character \d+\.$/,
      ),
    ),
  );
});

test.each([[[0x22, 0xff, 0x22]], [[0x22, 0xc0, 0x80, 0x22]]])(
  "H7: the bytes %j are no UTF-8",
  async (bytes) => {
    expect(await post(bytes)).toEqual(
      problem(400, "invalid-json", "Bad Request", "The request body is not UTF-8."),
    );
  },
);

test.each([
  null,
  "text/json",
  "application/x-www-form-urlencoded",
  "application/json; charset=utf-16",
])("H4: Content-Type %j is refused with 415", async (contentType) => {
  expect(await post("{}", contentType)).toEqual(
    problem(
      415,
      "unsupported-media-type",
      "Unsupported Media Type",
      "The request body must be JSON in UTF-8.",
    ),
  );
});

test("H4: one byte past the cap is refused with 413", async () => {
  expect((await post(`"${"a".repeat(1022)}"`)).status).toBe(200);
  expect(await post(`"${"a".repeat(1023)}"`)).toEqual(
    problem(
      413,
      "body-too-large",
      "Payload Too Large",
      "The request body is larger than 1024 bytes.",
    ),
  );
});
test.each(["us-ascii", "ISO-8859-1", "latin1", "utf8", '"UTF-8"', "windows-1252"])(
  "a body called %s whose bytes are ASCII is read",
  async (charset) => {
    const type = `application/json; charset=${charset}`;
    expect(await post('"a"', type)).toEqual({ status: 200, body: { kind: "string" } });
  },
);

test("H7: one called ISO-8859-1 with other bytes is refused with 415", async () => {
  const type = "application/json; charset=iso-8859-1";
  expect(await post([0x22, 0xe9, 0x22], type)).toMatchObject({ status: 415 });
  expect(await post('"é"', type)).toMatchObject({ status: 415 });
});

test("a PATCH may be a merge patch, anything else not; a refusal says what it may be", async () => {
  const headers = { "content-type": "application/merge-patch+json; charset=utf-8" };
  const send = (method: string, type = headers) =>
    fetch(`${server.url}/json`, { method, headers: type, body: "{}" });
  expect((await send("PATCH")).status).toBe(200);
  expect((await send("PATCH", { "content-type": "application/json" })).status).toBe(200);
  expect((await send("POST")).status).toBe(415);
  const refused = await send("PATCH", { "content-type": "text/plain" });
  expect([refused.status, refused.headers.get("accept-patch")]).toEqual([
    415,
    "application/merge-patch+json, application/json",
  ]);
});
