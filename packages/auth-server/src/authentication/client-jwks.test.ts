/** Keys that clients publish themselves: how often they are fetched, and what an outage leaves. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTestLog } from "@daykey/service/test/log";
import { createKey, type TestKey } from "../../test/assertions.ts";
import { type KeyServer, startKeyServer } from "../../test/key-server.ts";
import { type ClientJwks, createClientJwks } from "./client-jwks.ts";
import { createKeySetFetch } from "./jwks-fetch.ts";

const FRESH = 300;
const COOLDOWN = 30;
const DAY = 86_400;

let server: KeyServer;
let other: KeyServer;
let one: TestKey;
let two: TestKey;
beforeAll(async () => {
  server = await startKeyServer();
  other = await startKeyServer();
  one = createKey("one");
  two = createKey("two");
});
afterAll(async () => {
  await server.stop();
  await other.stop();
});

let now: number;
let jwks: ClientJwks;
let lines: Record<string, unknown>[];
beforeEach(() => {
  now = 1_800_000_000;
  const captured = createTestLog();
  lines = captured.lines;
  server.asked.length = 0;
  server.publish(one.publicJwk);
  jwks = createClientJwks({
    fetchKeySet: createKeySetFetch({ allowPrivate: true }),
    capacity: 10,
    clock: () => now,
    log: captured.log,
  });
});

async function kidsOf(kid?: string, uri = server.uri): Promise<string[]> {
  const found = await jwks.find(uri, (key) => kid === undefined || key.kid === kid);
  return found.map((key) => key.kid);
}

const breakDown = (): void => server.answer((request) => request.socket.destroy());

test("fetched once for 5 minutes, and by all who ask at once together", async () => {
  const found = await Promise.all(Array.from({ length: 20 }, () => kidsOf("one")));
  expect(found).toEqual(Array.from({ length: 20 }, () => ["one"]));
  now += FRESH - 1;
  expect(await kidsOf("one")).toEqual(["one"]);
  expect(server.asked.length).toBe(1);
  now += 1;
  expect(await kidsOf("one")).toEqual(["one"]);
  expect(server.asked.length).toBe(2);
});

test("a key that left the set is refused after 5 minutes, by the first who asks", async () => {
  await kidsOf();
  server.publish(two.publicJwk);
  expect(await kidsOf("one")).toEqual(["one"]);
  now += FRESH;
  expect(await kidsOf("one")).toEqual([]);
  expect(await kidsOf()).toEqual(["two"]);
});

test("V6: 10,000 unknown kids are one fetch a cooldown", async () => {
  await kidsOf();
  now += COOLDOWN;
  for (let i = 0; i < 10_000; i++) await kidsOf(`unknown-${i}`);
  expect(server.asked.length).toBe(2);
  now += COOLDOWN;
  await kidsOf("unknown");
  expect(server.asked.length).toBe(3);
});

test("a new key is found at once, or 30 s after the last fetch", async () => {
  await kidsOf();
  server.publish(one.publicJwk, two.publicJwk);
  expect(await kidsOf("two")).toEqual([]);
  now += COOLDOWN;
  expect(await kidsOf("two")).toEqual(["two"]);
});

test("a signature that fits no key is a reason to look again, in the same budget", async () => {
  const again = async (): Promise<string[]> =>
    (await jwks.findAgain(server.uri, () => true)).map((key) => key.kid);
  await kidsOf();
  expect(await again()).toEqual([]);
  server.publish(one.publicJwk, two.publicJwk);
  now += COOLDOWN;
  const found = await Promise.all([again(), again(), again()]);
  expect(found).toEqual(Array.from({ length: 3 }, () => ["one", "two"]));
  for (let i = 0; i < 100; i++) expect(await again()).toEqual([]);
  expect(server.asked.length).toBe(2);
  now += COOLDOWN;
  breakDown();
  expect(await again()).toEqual([]);
  expect(await kidsOf("two")).toEqual(["two"]);
});

describe("an outage of the client's server", () => {
  test("old keys serve for a day, and it is asked each 30 s only", async () => {
    await kidsOf();
    breakDown();
    now += FRESH;
    for (let i = 0; i < 5; i++) expect(await kidsOf("one")).toEqual(["one"]);
    expect(server.asked.length).toBe(2);
    now += COOLDOWN;
    expect(await kidsOf("one")).toEqual(["one"]);
    expect(server.asked.length).toBe(3);
    now += DAY - FRESH - COOLDOWN - 1;
    expect(await kidsOf("one")).toEqual(["one"]);
    now += 1;
    expect(await kidsOf("one")).toEqual([]);
    expect(lines.map(({ event, uri }) => [event, uri])).toEqual(
      Array.from({ length: 3 }, () => ["client_jwks_unread", server.uri]),
    );
  });

  test("its end is noticed 30 s later at the latest", async () => {
    breakDown();
    expect(await kidsOf()).toEqual([]);
    server.publish(one.publicJwk);
    expect(await kidsOf()).toEqual([]);
    now += COOLDOWN;
    expect(await kidsOf()).toEqual(["one"]);
  });

  test("an answer that is no key set is one, an empty set is none", async () => {
    await kidsOf();
    server.answer((_request, response) => void response.end("<html>"));
    now += FRESH;
    expect(await kidsOf()).toEqual(["one"]);
    server.publish();
    now += COOLDOWN;
    expect(await kidsOf()).toEqual([]);
  });
});

test("a server that hangs keeps nobody else waiting, nor those whose key is known", async () => {
  await kidsOf();
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  server.answer(() => resolve());
  now += COOLDOWN;
  const hanging = kidsOf("unknown");
  await asked;
  other.publish(two.publicJwk);
  const first = await Promise.race([hanging, kidsOf("two", other.uri)]);
  expect(first).toEqual(["two"]);
  expect(await Promise.race([hanging, kidsOf("one")])).toEqual(["one"]);
  expect(await hanging).toEqual([]);
});

test("a clock that was set back makes everything old", async () => {
  await kidsOf();
  now -= 10 * DAY;
  server.publish(two.publicJwk);
  expect(await kidsOf()).toEqual(["two"]);
});

test("a published key that protects nothing is passed over, and the log says why", async () => {
  const x = Buffer.alloc(32).toString("base64url");
  server.publish({ kty: "OKP", crv: "Ed25519", x, kid: "weak" }, one.publicJwk);
  expect(await kidsOf()).toEqual(["one"]);
  expect(lines).toMatchObject([
    {
      event: "client_jwks_key_passed_over",
      uri: server.uri,
      reasons: ["The Ed25519 key is a point of small order."],
    },
  ]);
});

test("of a set the first 20 keys count", async () => {
  const many = Array.from({ length: 25 }, (_, i) => ({ ...one.publicJwk, kid: `key-${i}` }));
  server.publish(...many);
  expect((await kidsOf()).length).toBe(20);
});
