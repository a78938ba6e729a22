import { expect, test } from "vitest";
import { createGate, GateFull } from "./gate.ts";

/** Work that says when it runs and ends when it is told. */
function createWork(): { run(): Promise<void>; end(): void; hasBegun(): boolean } {
  const ended = Promise.withResolvers<void>();
  let begun = false;
  return {
    async run() {
      begun = true;
      await ended.promise;
    },
    end: ended.resolve,
    hasBegun: () => begun,
  };
}

test("C12: a few at once, a few waiting in order, the rest refused at once", async () => {
  const gate = createGate({ atOnce: 2, waiting: 3 });
  const works = Array.from({ length: 6 }, createWork);
  const results = works.map((work) => gate(work.run).catch((error: unknown) => error));
  const begun = (): number[] => works.flatMap((work, i) => (work.hasBegun() ? [i] : []));
  expect(await results[5]).toBeInstanceOf(GateFull);
  expect(begun()).toEqual([0, 1]);
  works[1]?.end();
  await results[1];
  expect(begun()).toEqual([0, 1, 2]);
  for (const work of works) work.end();
  expect(await Promise.all(results.slice(0, 5))).toEqual(Array.from({ length: 5 }));
  expect(begun()).toEqual([0, 1, 2, 3, 4]);
});

test("work that fails gives its place back, and the gate its error", async () => {
  const gate = createGate({ atOnce: 1, waiting: 1 });
  const failing = (): Promise<never> => Promise.reject(new Error("canary"));
  const outcomes = await Promise.allSettled([gate(failing), gate(failing)]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await gate(async () => "done")).toBe("done");
});
