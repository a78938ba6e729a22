import { afterEach, expect, test } from "vitest";
import { createSigningKey, encodePart } from "../../test/issuer.ts";
import {
  INVALID_TOKEN,
  refusalOf,
  startResourceServer,
  type TestResourceServer,
} from "../../test/resource-server.ts";

let api: TestResourceServer;
afterEach(() => api.stop());

/** A server that has its issuer's keys. */
async function startLoaded(): Promise<void> {
  api = await startResourceServer();
  expect(await statusOf(api.token())).toBe(200);
  expect(api.issuer.requests()).toBe(1);
}

const statusOf = async (token: string): Promise<number> => (await api.time(token)).status;

/** Sends many tokens of unknown kids; only those are looked at, the signature is never reached. */
async function flood(count: number): Promise<void> {
  const [, payload, signature] = api.token().split(".");
  const requests = Array.from({ length: count }, (_, index) => {
    const token = [encodePart(api.header({ kid: `kid-${index}` })), payload, signature].join(".");
    return `GET /time HTTP/1.1\r\nHost: a.example\r\nAuthorization: Bearer ${token}\r\n`;
  });
  const answers = await api.exchange(`${requests.join("\r\n")}Connection: close\r\n\r\n`);
  expect(answers.match(/HTTP\/1.1 401 /g)).toHaveLength(count);
}

test("V6: 10,000 unknown kids cost one fetch a cooldown", async () => {
  await startLoaded();
  await flood(100);
  expect(api.issuer.requests(), "just after the first load").toBe(1);
  api.advance(30);
  await flood(10_000);
  expect(api.issuer.requests(), "after the cooldown").toBe(2);
  api.advance(29.5);
  await flood(100);
  expect(api.issuer.requests(), "within the next").toBe(2);
  api.advance(0.5);
  await flood(100);
  expect(api.issuer.requests(), "after that").toBe(3);
});

test("V6: all who wait for keys share one fetch", async () => {
  api = await startResourceServer();
  const token = api.token();
  const statuses = await Promise.all(Array.from({ length: 50 }, () => statusOf(token)));
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(api.issuer.requests()).toBe(1);
});

test("V6: a new key is served as soon as its token comes, after the cooldown", async () => {
  await startLoaded();
  const key = createSigningKey();
  api.issuer.publish(api.key.jwk, key.jwk);
  const token = api.token({ key });
  expect(refusalOf(await api.time(token))).toEqual(INVALID_TOKEN);
  expect(api.lines.at(-1)).toMatchObject({ reason: "unknown_kid" });
  api.advance(30);
  expect(await statusOf(token)).toBe(200);
  expect(api.issuer.requests()).toBe(2);
});

test("V6: known keys are fetched anew every five minutes, beside the request", async () => {
  await startLoaded();
  for (const fetches of [2, 3]) {
    const next = createSigningKey();
    api.issuer.publish(api.key.jwk, next.jwk);
    api.advance(299.5);
    expect(await statusOf(api.token())).toBe(200);
    expect(api.issuer.requests()).toBe(fetches - 1);
    api.advance(0.5);
    expect(await statusOf(api.token())).toBe(200);
    // Waits for the fetch that is under way.
    expect(await statusOf(api.token({ key: next }))).toBe(200);
    expect(api.issuer.requests()).toBe(fetches);
  }
});

test("V6: a key that left the set is refused after the next fetch, for remembered tokens too", async () => {
  await startLoaded();
  const [used, unused] = [api.token(), api.token()];
  expect(await statusOf(used)).toBe(200);
  const successor = createSigningKey();
  api.issuer.publish(successor.jwk);
  api.advance(300);
  // The remembered token is all that comes, and makes the server look.
  expect(await statusOf(used)).toBe(200);
  await api.issuer.requested(2);
  // Waits for the fetch that is under way.
  expect(await statusOf(api.token({ key: successor }))).toBe(200);
  expect(refusalOf(await api.time(used))).toEqual(INVALID_TOKEN);
  expect(refusalOf(await api.time(unused))).toEqual(INVALID_TOKEN);
  expect(api.lines.at(-1)).toMatchObject({ reason: "unknown_kid" });
  expect(api.issuer.requests()).toBe(2);
});

test("V6: a clock that was set back does not stop the fetching", async () => {
  await startLoaded();
  const key = createSigningKey();
  api.issuer.publish(api.key.jwk, key.jwk);
  api.advance(-86_400);
  expect(await statusOf(api.token())).toBe(200);
  await api.issuer.requested(2);
  expect(await statusOf(api.token({ key }))).toBe(200);
});
