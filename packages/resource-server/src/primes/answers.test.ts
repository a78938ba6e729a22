/** Evidence on request, many numbers at once, and the primes beside a number. */
import { parseJson, type JsonObject } from "@daykey/common/json-numbers";
import { verifyPrimeAnswer } from "@daykey/common/prime-answer";
import { afterAll, afterEach, describe, expect, test } from "vitest";

import { bearerOfScope, serveRouters, type RouterServer } from "../../test/serve-routers.ts";
import { createPrimesRouter } from "./endpoint.ts";
import { createPrimeChecker, type PrimeChecker } from "./prime-pool.ts";
import { primeAnswer, primesAnswer } from "./schema.ts";

const HEADERS = { Authorization: "Bearer primes:check", "Content-Type": "application/json" };
const MERSENNE_127 = (1n << 127n) - 1n;
const MERSENNE_521 = (1n << 521n) - 1n;
const COMPOSITE = 172_983_479_832_623_897_492_387_592_384_682_937_659_382_477n;
const LARGEST = (1n << 4096n) - 1n;
/** Keeps a thread busy for many minutes. */
const ENDLESS = (1n << 44_497n) - 1n;

const pool = createPrimeChecker({ threads: 2, maxQueue: 10 });
const server = await serveRouters(
  createPrimesRouter({ checker: pool, requireScope: bearerOfScope }),
);
afterAll(async () => {
  await server.stop();
  await pool.close();
});

interface Answer {
  status: number;
  text: string;
  json: JsonObject;
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  return { status: response.status, text, json: parseJson(text) as JsonObject };
}

const get = async (path: string, url = server.url): Promise<Answer> =>
  read(await fetch(`${url}/primes/${path}`, { headers: HEADERS }));
const post = async (body: string, url = server.url): Promise<Answer> =>
  read(await fetch(`${url}/primes`, { method: "POST", headers: HEADERS, body }));

function problem(code: string, title: string, detail: string, status = 400): object {
  const type = `urn:daykey:problem:${code}`;
  return { ...(parseJson(JSON.stringify({ type, title, status, detail })) as JsonObject) };
}

describe("certificates", () => {
  test.each([
    ["a prime above 2^64", MERSENNE_127, "certificate"],
    ["a prime below", 18_446_744_073_709_551_557n, "certificate"],
    ["a prime that is small", 97n, "trial-division"],
    ["a composite", COMPOSITE, "factor"],
    ["a number below 2", -7n, "definition"],
  ])("%s, asked for in any way, is proven", async (_, number, kind) => {
    for (const { status, text, json } of [
      await get(`${number}?certificate=true`),
      await post(`{"number":${number},"certificate":true}`),
      await post(`{"certificate":true,"number":"${number}"}`),
    ]) {
      expect([status, json["certainty"]]).toEqual([200, "proven"]);
      expect(primeAnswer.safeParse(json).error).toBeUndefined();
      expect(verifyPrimeAnswer(number, text)).toMatchObject({ verified: true, evidence: { kind } });
    }
  });

  test("of a number sent as a string are read by any JSON parser", async () => {
    const { text } = await post(`{"number":"${MERSENNE_127}","certificate":true}`);
    expect(verifyPrimeAnswer(MERSENNE_127, JSON.parse(text))).toMatchObject({ verified: true });
  });

  test("one that cannot be had leaves the answer as it is without", async () => {
    const { text } = await get(`${MERSENNE_521}?certificate=true`);
    expect(text).toBe((await get(`${MERSENNE_521}`)).text);
    expect(text).toContain('"certainty":"probable"');
  });

  test("none comes without being asked for", async () => {
    for (const { json } of [
      await get(`${MERSENNE_127}`),
      await get(`${MERSENNE_127}?certificate=false`),
      await post(`{"number":${MERSENNE_127},"certificate":false}`),
    ]) {
      expect(Object.keys(json)).toEqual(["number", "prime", "certainty", "method", "error_bound"]);
    }
  });

  test.each([
    [
      "?certificate=true&certificate=true",
      "The query parameter certificate must not appear twice.",
    ],
    ["?certificate=1", 'certificate: must be one of "true", "false"'],
    ["?certificate=", 'certificate: must be one of "true", "false"'],
    ["?certificate=TRUE", 'certificate: must be one of "true", "false"'],
    ["?proof=true", "the query: has proof, which is not known here; it takes certificate"],
    ["?__proto__=1", "the query: has a member, which is not known here; it takes certificate"],
  ])("the query %s is refused", async (query, detail) => {
    for (const path of ["97", "97/next", "97/previous"]) {
      const { status, json } = await get(path + query);
      expect([status, { ...json }]).toEqual([
        400,
        problem("invalid-query", "Invalid query", detail),
      ]);
    }
  });
});

describe("many numbers", () => {
  test("are answered in their order, each as it was written", async () => {
    const { status, text, json } = await post(`{"numbers":[97,"97",${COMPOSITE},-1,"15",97]}`);
    const prime = '"prime":true,"certainty":"proven","method":"trial-division"}';
    const results = [
      `{"number":97,${prime}`,
      `{"number":"97",${prime}`,
      `{"number":${COMPOSITE},"prime":false,"certainty":"proven","method":"baillie-psw","witness":{"base":2}}`,
      '{"number":-1,"prime":false,"certainty":"proven","method":"definition"}',
      '{"number":"15","prime":false,"certainty":"proven","method":"trial-division","witness":{"factor":"3"}}',
      `{"number":97,${prime}`,
    ];
    expect([status, text]).toEqual([200, `{"results":[${results.join()}]}`]);
    expect(primesAnswer.safeParse(json).error).toBeUndefined();
  });

  test("1,000 of 4,096 bits fit, as strings too", async () => {
    // Multiples of 3, which cost nothing.
    const numbers = Array.from({ length: 1000 }, (_, i) => `"${LARGEST - BigInt(i * 6)}"`);
    const { status, json } = await post(`{"numbers":[${numbers.join()}]}`);
    const results = json["results"] as JsonObject[];
    expect([status, results.length]).toEqual([200, 1000]);
    expect(results.map(({ number }) => JSON.stringify(number))).toEqual(numbers);
    expect(primesAnswer.safeParse(json).error).toBeUndefined();
  });

  test("all of them get certificates when asked", async () => {
    const numbers = [MERSENNE_127, 1_000_003n, COMPOSITE, 97n];
    const { json } = await post(`{"numbers":[${numbers.join()}],"certificate":true}`);
    const results = json["results"] as JsonObject[];
    const kinds = numbers.map((number, index) => verifyPrimeAnswer(number, results[index]));
    expect(kinds.every(({ verified }) => verified)).toBe(true);
  });

  const form =
    "The number must be an integer in plain decimal digits, such as 97 or -12: " +
    "no leading zero, plus sign, space, fraction or exponent.";
  test.each([
    ['[97,"x"]', problem("invalid-number", "Not an integer", `numbers.1: ${form}`)],
    ["[97,1.5]", problem("invalid-number", "Not an integer", `numbers.1: ${form}`)],
    ["[null]", problem("invalid-number", "Not an integer", `numbers.0: ${form}`)],
    ["[[97]]", problem("invalid-number", "Not an integer", `numbers.0: ${form}`)],
    [
      `[7,8,${LARGEST + 1n}]`,
      problem(
        "number-too-large",
        "Too large",
        "numbers.2: The number must not be longer than 4096 bits.",
      ),
    ],
  ])("%.20s is refused whole, and the fault is placed", async (numbers, expected) => {
    const { status, json } = await post(`{"numbers":${numbers}}`);
    expect([status, { ...json }]).toEqual([400, expected]);
  });
});

describe("the next and the previous prime", () => {
  test.each([
    ["-100/next", "2"],
    ["0/next", "2"],
    ["1/next", "2"],
    ["2/next", "3"],
    ["3/next", "5"],
    ["7/next", "11"],
    ["113/next", "127"],
    ["3/previous", "2"],
    ["4/previous", "3"],
    ["5/previous", "3"],
    ["8/previous", "7"],
    ["127/previous", "113"],
    ["18446744073709551616/previous", "18446744073709551557"],
    ["18446744073709551557/next", "18446744073709551629"],
    [`${MERSENNE_127 + 1n}/previous`, `${MERSENNE_127}`],
    [`${MERSENNE_127 - 1n}/next`, `${MERSENNE_127}`],
  ])("GET /primes/%s is %s, told as any prime", async (path, found) => {
    const { status, text, json } = await get(path);
    expect(status).toBe(200);
    expect(text).toBe((await get(found)).text);
    expect(primeAnswer.safeParse(json).error).toBeUndefined();
  });

  test("comes with a certificate when asked", async () => {
    const { text } = await get(`${MERSENNE_127 + 1n}/previous?certificate=true`);
    expect(verifyPrimeAnswer(MERSENNE_127, text)).toMatchObject({ verified: true });
  });

  test("there is none below 2", async () => {
    for (const n of ["2", "1", "0", "-1", `-${LARGEST}`]) {
      const { status, json } = await get(`${n}/previous`);
      const detail = "There is no such prime: the smallest is 2, and the search ends at 4096 bits.";
      expect([status, { ...json }]).toEqual([
        404,
        problem("no-such-prime", "No such prime", detail, 404),
      ]);
    }
  });

  test("none is sought above 4,096 bits", async () => {
    expect((await get(`${LARGEST}/next`)).status).toBe(404);
    expect((await get(`${LARGEST + 1n}/previous`)).status).toBe(400);
  });

  test.each(["x/next", "007/next", "1.0/previous", "%00/next", "1e3/previous"])(
    "%s is no integer",
    async (path) => {
      const { status, json } = await get(path);
      expect([status, json["type"]]).toEqual([400, "urn:daykey:problem:invalid-number"]);
    },
  );
});

describe("D5: what takes long", () => {
  const started = { servers: [] as RouterServer[], pools: [] as PrimeChecker[] };
  afterEach(async () => {
    for (const one of started.servers.splice(0)) await one.stop();
    for (const one of started.pools.splice(0)) await one.close();
  });

  /** One thread, a second for each task, and an endless number in the place of 7. */
  async function serveSlow(timeLimitSeconds: number) {
    const slow = createPrimeChecker({ threads: 1, maxQueue: 0, timeLimitSeconds });
    const begun = Promise.withResolvers<void>();
    const checker: PrimeChecker = {
      ...slow,
      checkAll(numbers, asker, options) {
        const results = slow.checkAll(
          numbers.map((n) => (n === 7n ? ENDLESS : n)),
          asker,
          options,
        );
        begun.resolve();
        return results;
      },
    };
    const router = createPrimesRouter({ checker, requireScope: bearerOfScope });
    const { url, lines } = started.servers[started.servers.push(await serveRouters(router)) - 1]!;
    started.pools.push(slow);
    return { url, lines, slow, begun: begun.promise };
  }

  test("when the time is up, the numbers that were reached are answered, and the others named", async () => {
    const { url } = await serveSlow(2);
    const { status, json } = await post('{"numbers":[97,7,"15"]}', url);
    expect([status, json["results"]]).toEqual([
      200,
      [
        expect.objectContaining({ number: 97n, prime: true }),
        { number: 7n, problem: "time-limit" },
        { number: "15", problem: "time-limit" },
      ],
    ]);
    expect(primesAnswer.safeParse(json).error).toBeUndefined();
  });

  test("when none was reached it is 503", async () => {
    const { url } = await serveSlow(0.2);
    const { status, json } = await post('{"numbers":[7,97]}', url);
    expect([status, json["type"]]).toEqual([503, "urn:daykey:problem:prime-checks-busy"]);
  });

  test("a batch whose client goes away frees its thread", async () => {
    const { url, slow, begun, lines } = await serveSlow(30);
    const client = new AbortController();
    const request = fetch(`${url}/primes`, {
      method: "POST",
      headers: HEADERS,
      body: '{"numbers":[97,7]}',
      signal: client.signal,
    });
    await begun;
    client.abort();
    await expect(request).rejects.toThrow("aborted");
    const check = () =>
      slow.check(MERSENNE_127, { client: "app", signal: new AbortController().signal });
    await expect.poll(() => check().catch(() => undefined)).toMatchObject({ prime: true });
    expect(lines).toMatchObject([{ level: "info", status: 499, reason: "client_gone" }]);
  });
});
