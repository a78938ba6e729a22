/** The articles' routes as their clients know them: shapes, sentences, and the guard of every other route. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startResourceServer, type TestResourceServer } from "../../test/resource-server.ts";

/** The article's own number, and what a double makes of it is another. */
const NUMBER = "172983479832623897492387592384682937659382477";
const MERSENNE_127 = (2n ** 127n - 1n).toString();
const JSON_TYPE = { "Content-Type": "application/json" };

let api: TestResourceServer;
let token: string;
beforeAll(async () => {
  api = await startResourceServer();
  token = api.token();
});
afterAll(() => api.stop());

const prime = (body: string, headers: Record<string, string> = JSON_TYPE) =>
  api.request("POST /check-prime", { token, headers, body });

describe("POST /get-current-time", () => {
  test.each([
    ["no body", {}],
    ["an empty body said to be JSON", { headers: JSON_TYPE, body: "" }],
    ["a body, which is ignored", { headers: JSON_TYPE, body: "{" }],
  ])("%s", async (_name, options) => {
    const answer = await api.request("POST /get-current-time", { token, ...options });
    expect([answer.status, answer.text]).toEqual([200, '{"currentTime":"2026-11-21 12:00:00"}']);
    expect(answer.headers).toMatchObject({
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-store",
    });
  });
});

describe("POST /check-prime", () => {
  test.each([
    [NUMBER, false],
    [MERSENNE_127, true],
    ["2", true],
    ["1", false],
    ["0", false],
    ["-7", false],
    ['"-0"', false, "0"],
    ["-0.0", false, "0"],
    ["9.7e1", true, "97"],
    [`"${MERSENNE_127}"`, true],
  ])("%s", async (number, isPrime, digits = number.replaceAll('"', "")) => {
    const { status, text } = await prime(`{"number": ${number}, "more": [1]}`);
    expect([status, text]).toEqual([200, `{"number":${digits},"isPrime":${isPrime}}`]);
  });

  const notAnInteger = expect.stringMatching(/^The number must be an integer in plain decimal/);
  const noNumber = 'The body must be an object with the member "number".';
  test.each([
    ['{"number": 1.5}', 400, notAnInteger],
    ['{"number": 1e400000}', 400, "The number must not be longer than 4096 bits."],
    [`{"number": "${"1".repeat(3000)}"}`, 400, "The number must not be longer than 4096 bits."],
    ['{"number": null}', 400, notAnInteger],
    ['{"number": "0x10"}', 400, notAnInteger],
    ['{"number": ["7"]}', 400, notAnInteger],
    [`{"number": ${2n ** 4096n}}`, 400, "The number must not be longer than 4096 bits."],
    ["{}", 400, noNumber],
    ["[]", 400, noNumber],
    ["7", 400, noNumber],
    ['"number"', 400, noNumber],
    ["null", 400, noNumber],
    ["", 400, "The request body is not acceptable JSON: unexpected end of text, at character 1."],
    [
      '{"number": 7, "number": 8}',
      400,
      "The request body is not acceptable JSON: duplicate member name, at character 15.",
    ],
    [
      `{"number": 7, "x": "${"x".repeat(4096)}"}`,
      413,
      "The request body is larger than 4096 bytes.",
    ],
  ])("%.50s: %i in the articles' shape", async (body, status, error) => {
    const answer = await prime(body);
    expect([answer.status, answer.body]).toEqual([status, { error }]);
    expect(answer.headers["content-type"]).toBe("application/json; charset=utf-8");
  });

  test("another media type", async () => {
    const { status, body } = await prime("number=7", { "Content-Type": "text/plain" });
    expect([status, body]).toEqual([415, { error: "The request body must be JSON in UTF-8." }]);
  });
});

describe.each([
  ["/get-current-time", "time:read"],
  ["/check-prime", "primes:check"],
])("%s", (path, scope) => {
  test("V5, V7: without a token, or with a bad one, Unauthorized before anything is read", async () => {
    const unread = { headers: JSON_TYPE, body: "{" };
    for (const bad of [undefined, "x", api.token({ claims: { aud: "https://other.example" } })]) {
      const answer = await api.request(`POST ${path}`, { ...unread, ...(bad && { token: bad }) });
      expect([answer.status, answer.text]).toEqual([401, '{"error":"Unauthorized"}']);
      expect(answer.headers["www-authenticate"]).toMatch(/^Bearer realm=/);
    }
  });

  test("V4: its scope is needed", async () => {
    const other = api.token({ claims: { scope: "other:read" } });
    const { status, body, headers } = await api.request(`POST ${path}`, { token: other });
    expect([status, body]).toEqual([403, { error: `This needs the scope ${scope}.` }]);
    expect(headers["www-authenticate"]).toContain(`error="insufficient_scope", scope="${scope}"`);
  });

  test("V8: two credentials are malformed", async () => {
    const { status, body } = await api.request(`POST ${path}`, {
      token,
      headers: { "X-PA-AUTH-TOKEN": token },
    });
    expect([status, body]).toEqual([400, { error: "Use exactly one credential." }]);
  });

  test("V12: POST alone", async () => {
    for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]) {
      const { status, headers } = await api.request(`${method} ${path}`, { token });
      expect([status, headers["allow"]], method).toEqual([405, "POST"]);
    }
  });
});
