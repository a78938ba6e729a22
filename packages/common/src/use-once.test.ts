/** What works once, under a flood of it. */
import { expect, test } from "vitest";
import { createUseOnce } from "./use-once.ts";

function createStore() {
  const used = new Set<string>();
  const batches: string[][] = [];
  const use = createUseOnce<string>({
    keyOf: (item) => item,
    flush(batch) {
      batches.push(batch);
      const areNew = batch.map((item) => !used.has(item));
      for (const item of batch) used.add(item);
      return Promise.resolve(areNew);
    },
  });
  return { use, batches };
}

test("of thousands at once the first is new; none but it is stored, and no other waits", async () => {
  const { use, batches } = createStore();
  const flood = Array.from({ length: 10_000 }, () => use("a"));
  expect(await use("b")).toBe(true);
  expect((await Promise.all(flood)).filter((isNew) => isNew).length).toBe(1);
  expect(batches).toEqual([["a", "b"]]);
  expect(await use("a")).toBe(false);
});

test("when the first cannot be stored, none is taken, and one that comes later is tried", async () => {
  let isDown = true;
  const use = createUseOnce<string>({
    keyOf: (item) => item,
    flush: (batch) =>
      isDown ? Promise.reject(new Error("down")) : Promise.resolve(batch.map(() => true)),
  });
  const outcomes = await Promise.allSettled([use("a"), use("a")]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  isDown = false;
  expect(await use("a")).toBe(true);
});
