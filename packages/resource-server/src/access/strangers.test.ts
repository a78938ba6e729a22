/** Questions that strangers cause: one address has a share of them, and others find room beside it. */
import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createApiKey, keyAnswer } from "../../test/api-key.ts";
import { sendJson } from "../../test/auth-server.ts";
import { startListening } from "../../test/feed.ts";
import { createSignatureKey, signedHeaders } from "../../test/signature-key.ts";
import type { TestResourceServer } from "../../test/resource-server.ts";
import { until } from "../../test/until.ts";

/** What one address may have on their way, when no other asks. */
const AT_ONCE = 39;
/** What it may have asked in a second about what is not active. */
const WASTED = 154;
const GENUINE = "dka1.k3f9a1c2.genuine";

let api: TestResourceServer;
/** Questions that are not answered yet. */
let held: ServerResponse[];
/** Whether forged ones are answered only later. */
let isHeld: boolean;

beforeEach(async () => {
  held = [];
  isHeld = false;
  api = await startListening({ config: { trustedProxies: ["127.0.0.1"] } });
  api.authServer.answerIntrospection((_req, res) => {
    const asked = api.authServer.questions.at(-1)?.["token"] ?? "";
    if (asked.startsWith(GENUINE)) sendJson(res, { active: true, ...api.claims() });
    else if (isHeld) held.push(res);
    else sendJson(res, { active: false });
  });
});
afterEach(() => api.stop());

type Headers = Record<string, string>;
const bearer = (token: string): Headers => ({ Authorization: `Bearer ${token}` });
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
const genuine = (count: number, name = ""): Headers[] =>
  times(count, (i) => bearer(`${GENUINE}${name}-${i}`));
let serial = 0;
/** With the id of the key that sealed the genuine ones. */
const forged = (count: number): Headers[] =>
  times(count, () => bearer(`dka1.k3f9a1c2.forged-${(serial += 1)}`));

/** What requests with these headers get, all sent at once by this address. */
function statusesOf(address: string, requests: readonly Headers[]): Promise<number[]> {
  return Promise.all(
    requests.map(async (headers) => {
      const from = { ...headers, "X-Forwarded-For": address };
      return (await api.request("GET /time", { headers: from })).status;
    }),
  );
}

const asked = (): number => api.authServer.questions.length;
/** Those on their way when the share is used up come on top. */
function expectOneShare(questions: number): void {
  expect(questions).toBeGreaterThanOrEqual(WASTED);
  expect(questions).toBeLessThan(WASTED + AT_ONCE);
}
const all = (status: number, count: number): number[] => Array<number>(count).fill(status);

test("D2: beside 450 forged tokens at once of one address, new tokens of another are served", async () => {
  expect(await statusesOf("192.0.2.1", genuine(1))).toEqual([200]);
  isHeld = true;
  const answers = Promise.all(forged(450).map((each) => statusesOf("192.0.2.1", [each])));
  const refused = () => api.lines.filter(({ status }) => status === 503).length;
  await until("some wait and the others are refused", () => refused() > 100);
  const others = [...genuine(25, "new"), bearer(api.token())];
  expect(await statusesOf("192.0.2.2", others)).toEqual(all(200, 26));
  isHeld = false;
  for (const res of held) sendJson(res, { active: false });
  expect(new Set((await answers).flat())).toContain(503);
});

test("D2: beside forged tokens of 20 addresses, new tokens of another are served", async () => {
  const answers = Promise.all(times(20, (i) => statusesOf(`192.0.2.${i}`, forged(25))));
  await until("they are asked", () => asked() >= 200);
  expect(await statusesOf("198.51.100.1", genuine(25))).toEqual(all(200, 25));
  expect(new Set((await answers).flat())).toContain(401);
  expect(await statusesOf("198.51.100.1", genuine(25, "late"))).toEqual(all(200, 25));
});

test("D2: tokens, API keys and key ids have one room, and a /64 is one address", async () => {
  const keyHeaders = times(100, () =>
    signedHeaders({ key: createSignatureKey(), created: Math.floor(api.now()) }),
  );
  const requests = [
    ...forged(100),
    ...times(100, () => ({ "X-Api-Key": createApiKey() })),
    ...(await Promise.all(keyHeaders)),
  ];
  const answers = await Promise.all(
    requests.map((headers, i) => statusesOf(`2001:db8::${i.toString(16)}`, [headers])),
  );
  expect(new Set(answers.flat())).toEqual(new Set([401, 503]));
  expectOneShare(asked() + api.authServer.keyQuestions.length);

  const apiKey = createApiKey();
  const key = createSignatureKey();
  api.authServer.answerKeys((id) => (id === key.id ? key.answer() : undefined));
  api.authServer.answerIntrospection((_req, res) => sendJson(res, keyAnswer(apiKey)));
  const signed = await signedHeaders({ key, created: Math.floor(api.now()) });
  expect(await statusesOf("2001:db8:0:1::1", [{ "X-Api-Key": apiKey }, signed])).toEqual([
    200, 200,
  ]);
});

test("what was active before is served beside forged tokens of its own address; what is new there is 503 for a second", async () => {
  const address = "192.0.2.1";
  expect(await statusesOf(address, genuine(1))).toEqual([200]);
  api.pass(5);
  await statusesOf(address, forged(200));
  expectOneShare(asked() - 1);
  expect(await statusesOf(address, [...genuine(1), ...genuine(1, "new")])).toEqual([200, 503]);
  api.pass(1);
  expect(await statusesOf(address, genuine(1, "new"))).toEqual([200]);
});

test("what turns out to be active costs an address nothing of its share", async () => {
  for (const name of ["a", "b", "c", "d"]) {
    expect(await statusesOf("192.0.2.1", genuine(60, name))).toEqual(all(200, 60));
  }
});
