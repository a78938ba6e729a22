import { afterAll, afterEach, describe, expect, test } from "vitest";

import { parseJson } from "@daykey/common/json-numbers";

import { bearerOfScope, serveRouters, type RouterServer } from "../../test/serve-routers.ts";
import { createPrimesRouter } from "./endpoint.ts";
import { createPrimeChecker, type PrimeChecker } from "./prime-pool.ts";
import { primeAnswer } from "./schema.ts";

const AUTHORIZED = { Authorization: "Bearer primes:check" };
const JSON_TYPE = { "Content-Type": "application/json" };
/** Keeps a thread busy for many minutes. */
const ENDLESS = (1n << 44_497n) - 1n;
const CALM = { client: "app", signal: new AbortController().signal };

const pool = createPrimeChecker({ threads: 2, maxQueue: 10 });
const server = await serveRouters(
  createPrimesRouter({ checker: pool, requireScope: bearerOfScope }),
);
afterAll(async () => {
  await server.stop();
  await pool.close();
});

function get(number: string): Promise<Response> {
  return fetch(`${server.url}/primes/${number}`, { headers: AUTHORIZED });
}

function post(body: string, headers: Record<string, string> = AUTHORIZED): Promise<Response> {
  return fetch(`${server.url}/primes`, {
    method: "POST",
    body,
    headers: { ...JSON_TYPE, ...headers },
  });
}

function problem(code: string, title: string, detail: string): object {
  return { type: `urn:daykey:problem:${code}`, title, status: 400, detail };
}

const notAnInteger = problem(
  "invalid-number",
  "Not an integer",
  "The number must be an integer in plain decimal digits, such as 97 or -12: " +
    "no leading zero, plus sign, space, fraction or exponent.",
);
const tooLarge = problem(
  "number-too-large",
  "Too large",
  "The number must not be longer than 4096 bits.",
);
const invalidBody = problem(
  "invalid-body",
  "Invalid body",
  'The body must be an object with the member "number", or "numbers" with a list of 1 to 1,000; ' +
    'it may have "certificate", true or false.',
);

describe("answers", () => {
  const small = "97";
  const example = "172983479832623897492387592384682937659382477";
  const mersenne = String((1n << 127n) - 1n);
  const expected = [
    [small, `{"number":97,"prime":true,"certainty":"proven","method":"trial-division"}`],
    ["-97", `{"number":-97,"prime":false,"certainty":"proven","method":"definition"}`],
    ["0", `{"number":0,"prime":false,"certainty":"proven","method":"definition"}`],
    [
      "18446744073709551557",
      `{"number":18446744073709551557,"prime":true,"certainty":"proven","method":"baillie-psw"}`,
    ],
    [
      example,
      `{"number":${example},"prime":false,"certainty":"proven","method":"baillie-psw","witness":{"base":2}}`,
    ],
    [
      mersenne,
      `{"number":${mersenne},"prime":true,"certainty":"probable",` +
        `"method":"baillie-psw+miller-rabin","error_bound":5.421010862427522e-20}`,
    ],
  ] as const;

  test.each(expected)("%s is answered losslessly, however it is sent", async (number, body) => {
    for (const response of [await get(number), await post(`{"number": ${number}}`)]) {
      expect(response.status).toBe(200);
      expect(response.headers.get("Content-Type")).toBe("application/json; charset=utf-8");
      expect(await response.text()).toBe(body);
      expect(primeAnswer.safeParse(parseJson(body)).error).toBeUndefined();
    }
    const asString = await post(`{"number": "${number}"}`);
    const strings = body.replace(`:${number},`, `:"${number}",`).replace('"base":2', '"base":"2"');
    expect([asString.status, await asString.text()]).toEqual([200, strings]);
    expect(primeAnswer.safeParse(parseJson(strings)).error).toBeUndefined();
  });

  test("4,096 bits are answered, 4,097 refused", async () => {
    const [largest, over] = [`${(1n << 4096n) - 1n}`, `${1n << 4096n}`];
    expect(await (await get(largest)).text()).toContain(`{"number":${largest},"prime":false,`);
    expect((await get(`-${largest}`)).status).toBe(200);
    for (const digits of [over, `-${over}`, "9".repeat(1300), "1".repeat(4000)]) {
      for (const response of [
        await get(digits),
        await post(`{"number":${digits}}`),
        await post(`{"number":"${digits}"}`),
      ]) {
        expect(response.status).toBe(400);
        expect(await response.json()).toEqual(tooLarge);
      }
    }
  });

  test("HEAD is authorized and answered like GET, without a body (V12)", async () => {
    const head = { method: "HEAD" };
    expect((await fetch(`${server.url}/primes/97`, head)).status).toBe(401);
    const response = await fetch(`${server.url}/primes/97`, { ...head, headers: AUTHORIZED });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });
});

describe("what is no integer in plain decimal digits", () => {
  const spellings = [
    "",
    "+7",
    "-",
    "--7",
    "007",
    "-07",
    "7.0",
    "7.",
    "1e3",
    "0x7",
    "0b11",
    "1_000",
    "1,000",
    "7n",
    "seven",
    "NaN",
    "Infinity",
    "null",
    " 7",
    "7 ",
    "7\t",
    "٧",
    "７",
    "²",
    "7\u200b",
    "7;",
    "7'",
    "7/7",
    "[7]",
  ];

  test.each(spellings.filter((text) => text !== ""))("GET /primes/%j", async (text) => {
    const response = await get(encodeURIComponent(text));
    expect(response.status).toBe(400);
    expect(response.headers.get("Content-Type")).toBe("application/problem+json");
    expect(await response.json()).toEqual(notAnInteger);
  });

  test.each(["%00", "%ff", "%", "%zz"])("GET /primes/%s", async (path) => {
    const response = await get(path);
    expect([response.status, await response.json()]).toEqual([400, notAnInteger]);
  });

  test.each(spellings.filter((text) => text !== "7\t"))('POST {"number": %j}', async (text) => {
    const response = await post(JSON.stringify({ number: text }));
    expect([response.status, await response.json()]).toEqual([400, notAnInteger]);
  });

  test.each(["1.5", "1e-3", "1e-400000", "0.5", "null", "true", "[7]", "{}", '{"number":7}'])(
    'POST {"number": %s}',
    async (json) => {
      const response = await post(`{"number":${json}}`);
      expect([response.status, await response.json()]).toEqual([400, notAnInteger]);
    },
  );
});

describe("bodies", () => {
  test.each([
    "7",
    '"7"',
    "null",
    "[7]",
    "[]",
    "{}",
    '{"Number":7}',
    '{"number":7,"verbose":true}',
    '{"number":7,"__proto__":{}}',
    '{"__proto__":{"number":7}}',
    '{"number":7,"numbers":[7]}',
    '{"number":7,"certificate":1}',
    '{"numbers":[]}',
    '{"numbers":7}',
    '{"numbers":{"0":7}}',
    '{"numbers":[7],"verbose":true}',
    `{"numbers":[7${",7".repeat(1000)}]}`,
  ])("%s is not the object that is asked for", async (body) => {
    const response = await post(body);
    expect([response.status, await response.json()]).toEqual([400, invalidBody]);
  });

  test.each([
    ["H5: a member twice", '{"number":7,"number":9}'],
    ["H6: depth 9", `{"number":${"[".repeat(9)}${"]".repeat(9)}}`],
    ["H7: a control character", String.raw`{"number":"7\u0000"}`],
    ["no JSON", "number=7"],
    ["nothing", ""],
  ])("%s is 400 invalid-json", async (_, body) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ type: "urn:daykey:problem:invalid-json" });
  });

  test("H4: another media type is 415, and more than 1,280,000 bytes 413", async () => {
    expect(
      (await post('{"number":7}', { ...AUTHORIZED, "Content-Type": "text/plain" })).status,
    ).toBe(415);
    expect((await post(`{"number":7${" ".repeat(1_280_000)}}`)).status).toBe(413);
  });
});

test("V7: without the scope a request is refused before its number or body is looked at", async () => {
  const stranger = { Authorization: "Bearer time:read" };
  for (const response of [
    await fetch(`${server.url}/primes/97`),
    await fetch(`${server.url}/primes/97`, { headers: stranger }),
    await fetch(`${server.url}/primes/no-number`, { headers: stranger }),
    await post('{"number":97}', stranger),
    await post("{", stranger),
    await post("{", { ...stranger, "Content-Type": "text/plain" }),
  ]) {
    expect(response.status).toBe(401);
  }
});

test.each(["/primes", "/primes/", "/PRIMES/7", "/primes/7/", "/primes/7/8"])(
  "GET %s is no route",
  async (path) => {
    const { status } = await fetch(`${server.url}${path}`, { headers: AUTHORIZED });
    expect(status).toBe(path === "/primes" ? 405 : 404);
  },
);

describe("D5: numbers that take long", () => {
  const started = { servers: [] as RouterServer[], pools: [] as PrimeChecker[] };
  afterEach(async () => {
    for (const one of started.servers.splice(0)) await one.stop();
    for (const endless of started.pools.splice(0)) await endless.close();
  });

  /** An endpoint with one thread and no queue, whose every check would take many minutes. */
  async function serveEndless() {
    const endless = createPrimeChecker({ threads: 1, maxQueue: 0 });
    const begun = Promise.withResolvers<void>();
    const checker: PrimeChecker = {
      ...endless,
      check(_n, asker) {
        const result = endless.check(ENDLESS, asker);
        begun.resolve();
        return result;
      },
    };
    const router = createPrimesRouter({ checker, requireScope: bearerOfScope });
    const { url, lines } = started.servers[started.servers.push(await serveRouters(router)) - 1]!;
    started.pools.push(endless);
    return { url, lines, endless, begun: begun.promise };
  }

  test("a full queue is 503 with Retry-After", async () => {
    const { url, begun } = await serveEndless();
    const client = new AbortController();
    const request = { headers: AUTHORIZED, signal: client.signal };
    const first = fetch(`${url}/primes/7`, request);
    await begun;
    const response = await fetch(`${url}/primes/7`, { headers: AUTHORIZED });
    expect(response.headers.get("Retry-After")).toBe("5");
    expect([response.status, await response.json()]).toEqual([
      503,
      {
        type: "urn:daykey:problem:prime-checks-busy",
        title: "Service Unavailable",
        status: 503,
        detail: "Too many numbers are waiting to be checked.",
      },
    ]);
    client.abort();
    await expect(first).rejects.toThrow("aborted");
  });

  test.each([
    ["GET", "/primes/7", null],
    ["POST", "/primes", '{"number":7}'],
  ])("a %s whose client goes away frees its thread", async (method, path, body) => {
    const { url, endless, begun, lines } = await serveEndless();
    const client = new AbortController();
    const headers = { ...AUTHORIZED, ...JSON_TYPE };
    const request = fetch(url + path, { method, body, headers, signal: client.signal });
    await begun;
    client.abort();
    await expect(request).rejects.toThrow("aborted");
    await untilAccepted(endless);
    expect(lines).toMatchObject([{ level: "info", status: 499, reason: "client_gone" }]);
  });

  /** Resolves once the only thread has checked a number; its queue takes none while it is busy. */
  async function untilAccepted(checker: PrimeChecker): Promise<void> {
    for (;;) {
      try {
        await checker.check((1n << 127n) - 1n, CALM);
        return;
      } catch {
        await new Promise(setImmediate);
      }
    }
  }
});
