import { createDiffieHellmanGroup } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";

import { createPrimeChecker, type PrimeChecker } from "./prime-pool.ts";

const QUICK = (1n << 127n) - 1n;
/** A prime that takes some milliseconds. */
const SLOW = (1n << 521n) - 1n;
/** A prime that keeps a thread busy for many minutes (2^44497 − 1): only an abort frees it in time. */
const ENDLESS = (1n << 44_497n) - 1n;
const CALM = { client: "app", signal: new AbortController().signal };

const checkers: PrimeChecker[] = [];
function checker(options: Parameters<typeof createPrimeChecker>[0]): PrimeChecker {
  const made = createPrimeChecker(options);
  checkers.push(made);
  return made;
}
afterEach(() => Promise.all(checkers.splice(0).map((made) => made.close())));

const busy = { status: 503, code: "prime-checks-busy", headers: { "Retry-After": "5" } };

test("answers small numbers and large ones alike", async () => {
  const pool = checker({ threads: 1, maxQueue: 1 });
  expect(await pool.check(97n, CALM)).toEqual({
    number: 97n,
    prime: true,
    certainty: "proven",
    method: "trial-division",
  });
  expect(await pool.check(QUICK, CALM)).toEqual({
    number: QUICK,
    prime: true,
    certainty: "probable",
    method: "baillie-psw+miller-rabin",
    errorBound: 2 ** -64,
  });
});

test("answers each caller with its own number", async () => {
  const pool = checker({ threads: 2, maxQueue: 100 });
  const exponents = Array.from({ length: 60 }, (_, i) => 70 + i);
  const answers = await Promise.all(exponents.map((e) => pool.check((1n << BigInt(e)) - 1n, CALM)));
  expect(exponents.filter((_, i) => answers[i]?.prime)).toEqual([89, 107, 127]);
});

test("an idle thread is taken again, without a queue too", async () => {
  const pool = checker({ threads: 1, maxQueue: 0 });
  expect((await pool.check(QUICK, CALM)).prime).toBe(true);
  expect((await pool.check(QUICK, CALM)).prime).toBe(true);
});

test("D5: the queue is bounded, and what does not fit is refused at once", async () => {
  const pool = checker({ threads: 1, maxQueue: 2 });
  const accepted = Promise.allSettled([1, 2, 3].map(() => pool.check(ENDLESS, CALM)));
  await expect(pool.check(QUICK, CALM)).rejects.toMatchObject({
    ...busy,
    reason: "prime_queue_full",
  });
  expect((await pool.check(97n, CALM)).prime).toBe(true);
  await pool.close();
  for (const outcome of await accepted) {
    expect(outcome).toMatchObject({ reason: { ...busy, reason: "prime_checker_closed" } });
  }
});

describe("clients have their turns, whoever asks for more", () => {
  const by = (client: string) => ({ ...CALM, client });

  test.each([
    ["checks", (pool: PrimeChecker) => pool.check(SLOW, by("busy"))],
    ["certificates", (pool: PrimeChecker) => pool.check(SLOW, by("busy"), { evidence: true })],
    ["searches", (pool: PrimeChecker) => pool.find("next", SLOW, by("busy"))],
    ["batches", (pool: PrimeChecker) => pool.checkAll(Array(1000).fill(SLOW), by("busy"))],
  ])("70 %s of one client let another's check come before their third", async (_, ask) => {
    const pool = checker({ threads: 1, maxQueue: 100 });
    const answered: string[] = [];
    const note = (name: string) => () => void answered.push(name);
    const asked = Array.from({ length: 70 }, () => ask(pool).then(note("busy")));
    const settled = Promise.allSettled(asked);
    await pool.check(SLOW, by("other")).then(note("other"));
    // One was being worked on, and one more may have had its turn.
    expect(answered.indexOf("other")).toBeLessThanOrEqual(2);
    await pool.close();
    await settled;
  });

  test("who has all threads gives one up, and its work there is done again", async () => {
    const pool = checker({ threads: 2, maxQueue: 4 });
    const endless = new AbortController();
    const first = pool.check(ENDLESS, { client: "busy", signal: endless.signal });
    const second = pool.check(ENDLESS, { client: "busy", signal: endless.signal });
    const third = pool.check(QUICK, by("busy"));
    expect((await pool.check(QUICK, by("other"))).prime).toBe(true);
    expect((await pool.checkAll([QUICK, QUICK], by("another"))).length).toBe(2);
    endless.abort(new Error("gone"));
    await expect(first).rejects.toThrow("gone");
    await expect(second).rejects.toThrow("gone");
    expect((await third).prime).toBe(true);
  });

  test("a full queue refuses the client with the most in it, and no other", async () => {
    const pool = checker({ threads: 1, maxQueue: 3 });
    const all = [1, 2, 3, 4].map(() => pool.check(ENDLESS, by("busy")));
    const outcomes = Promise.allSettled(all);
    await expect(pool.check(QUICK, by("busy"))).rejects.toMatchObject(busy);
    const others = Promise.allSettled([
      pool.check(QUICK, by("other")),
      pool.check(QUICK, by("another")),
    ]);
    for (const crowdedOut of [all[3], all[2]]) {
      await expect(crowdedOut).rejects.toMatchObject({ ...busy, reason: "prime_queue_full" });
    }
    // busy has two, the others one each: nobody has more than one that comes would have.
    await expect(pool.check(QUICK, by("other"))).rejects.toMatchObject(busy);
    await pool.close();
    expect((await others).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await outcomes;
  });

  test("a search over a long gap goes on where it was", async () => {
    const pool = checker({ threads: 2, maxQueue: 4 });
    const [from, to] = [1_693_182_318_746_371n, 1_693_182_318_747_503n];
    expect(await pool.find("next", from, by("a"))).toMatchObject({ number: to, prime: true });
    expect(await pool.find("previous", to, by("b"))).toMatchObject({ number: from, prime: true });
  });
});

test("D5: an abort frees the thread for whoever waits", async () => {
  const pool = checker({ threads: 1, maxQueue: 1 });
  const client = new AbortController();
  const abandoned = pool.check(ENDLESS, { client: "app", signal: client.signal });
  const waiting = pool.check(QUICK, CALM);
  client.abort(new Error("gone"));
  await expect(abandoned).rejects.toThrow("gone");
  expect((await waiting).prime).toBe(true);
});

test("D5: an abort while waiting gives the place in the queue back", async () => {
  const pool = checker({ threads: 1, maxQueue: 1 });
  const [first, second] = [new AbortController(), new AbortController()];
  const outcomes = Promise.allSettled([
    pool.check(ENDLESS, { client: "app", signal: first.signal }),
    pool.check(QUICK, { client: "app", signal: second.signal }),
  ]);
  second.abort();
  const third = pool.check(QUICK, CALM);
  first.abort();
  expect((await third).prime).toBe(true);
  expect((await outcomes).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});

test("an aborted signal starts nothing", async () => {
  const pool = checker({ threads: 1, maxQueue: 0 });
  const signal = AbortSignal.abort(new Error("gone"));
  await expect(pool.check(ENDLESS, { client: "app", signal })).rejects.toThrow("gone");
  expect((await pool.check(QUICK, CALM)).prime).toBe(true);
});

test("D5: a check ends at its time limit, waiting or computing, and frees its thread", async () => {
  const pool = checker({ threads: 1, maxQueue: 1, timeLimitSeconds: 0.2 });
  const outcomes = await Promise.allSettled([pool.check(ENDLESS, CALM), pool.check(ENDLESS, CALM)]);
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ reason: { ...busy, reason: "prime_time_limit" } });
  }
});

test("a closed checker refuses, and close may be called twice", async () => {
  const pool = checker({ threads: 1, maxQueue: 1 });
  await pool.check(QUICK, CALM);
  await pool.close();
  await pool.close();
  await expect(pool.check(97n, CALM)).rejects.toMatchObject({
    ...busy,
    reason: "prime_checker_closed",
  });
});

test("D5: the event loop does none of the work of 50 primes of 4,096 bits", async () => {
  const pool = checker({ threads: 2, maxQueue: 48, timeLimitSeconds: 600 });
  const n = BigInt(`0x${createDiffieHellmanGroup("modp16").getPrime("hex")}`);
  const rest = new AbortController();
  // Time of the processor, not of a clock: what else the machine does is not in it.
  const loop = process.threadCpuUsage();
  const all = process.cpuUsage();
  const checks = Array.from({ length: 50 }, () =>
    pool.check(n, { client: "app", signal: rest.signal }),
  );
  expect((await Promise.race(checks)).prime).toBe(true);
  const used = { loop: process.threadCpuUsage(loop), all: process.cpuUsage(all) };
  rest.abort();
  await Promise.allSettled(checks);
  expect(used.loop.user / used.all.user).toBeLessThan(0.1);
}, 600_000);
