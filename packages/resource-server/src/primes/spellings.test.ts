/** An integer has one answer, however it is written and wherever it stands. */
import { afterAll, expect, test } from "vitest";
import { bearerOfScope, serveRouters } from "../../test/serve-routers.ts";
import { createPrimesRouter } from "./endpoint.ts";
import { createPrimeChecker } from "./prime-pool.ts";

const headers = { Authorization: "Bearer primes:check", "Content-Type": "application/json" };
const pool = createPrimeChecker({ threads: 2, maxQueue: 10 });
const server = await serveRouters(
  createPrimesRouter({ checker: pool, requireScope: bearerOfScope }),
);
afterAll(async () => {
  await server.stop();
  await pool.close();
});

const get = (number: string) => fetch(`${server.url}/primes/${number}`, { headers });
const post = (body: string) => fetch(`${server.url}/primes`, { method: "POST", headers, body });

const tooLarge = {
  type: "urn:daykey:problem:number-too-large",
  title: "Too large",
  status: 400,
  detail: "The number must not be longer than 4096 bits.",
};

const zero = `"prime":false,"certainty":"proven","method":"definition"}`;
const one = "1".repeat(5001);

test.each(["0", "-0"])("%s is 0, in a path, a number, a string and a list", async (text) => {
  for (const [response, body] of [
    [await get(text), `{"number":0,${zero}`],
    [await post(`{"number":${text}}`), `{"number":0,${zero}`],
    [await post(`{"number":"${text}"}`), `{"number":"0",${zero}`],
    [await post(`{"numbers":[${text}]}`), `{"results":[{"number":0,${zero}]}`],
    [await post(`{"numbers":["${text}"]}`), `{"results":[{"number":"0",${zero}]}`],
  ] as const) {
    expect([response.status, await response.text()]).toEqual([200, body]);
  }
});

test.each([
  ["-0.0", "0"],
  ["0e400000", "0"],
  ["1e3", "1000"],
  ["1.0", "1"],
  ["9.7E+1", "97"],
  ["970e-1", "97"],
  ["170141183460469231731687303715884105727.0", "170141183460469231731687303715884105727"],
  ["1.70141183460469231731687303715884105727e38", "170141183460469231731687303715884105727"],
])("the JSON number %s is %s", async (text, digits) => {
  const plain = await (await get(digits)).text();
  expect(await (await post(`{"number":${text}}`)).text()).toBe(plain);
  expect(await (await post(`{"numbers":[${text}]}`)).text()).toBe(`{"results":[${plain}]}`);
});

test.each([one, `-${one}`])("5,001 digits are too large wherever they stand", async (text) => {
  expect(await (await get(text)).json()).toEqual(tooLarge);
  for (const json of [text, `"${text}"`]) {
    const response = await post(`{"number":${json}}`);
    expect([response.status, await response.json()]).toEqual([400, tooLarge]);
    const detail = `numbers.1: ${tooLarge.detail}`;
    expect(await (await post(`{"numbers":[7,${json}]}`)).json()).toEqual({ ...tooLarge, detail });
  }
});

test.each(["1e1234", "1e5000", "-1e400000", "1e999999999999", "1".repeat(1_000_000)])(
  "the JSON number %s is too large",
  async (text) => {
    const response = await post(`{"number":${text}}`);
    expect([response.status, await response.json()]).toEqual([400, tooLarge]);
  },
);
