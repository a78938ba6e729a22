import { expect, test } from "vitest";

import { backoff } from "./backoff.ts";

test.each([
  [1, [0.1, 0.2, 0.4, 3.2, 5, 5, 5]],
  [0, [0.05, 0.1, 0.2, 1.6, 2.5, 2.5, 2.5]],
])("pauses grow from the first to the longest, and are spread: random %d", (random, pauses) => {
  const failures = [0, 1, 2, 5, 6, 100, 5000];
  expect(failures.map((count) => backoff(count, [0.1, 5], random))).toEqual(pauses);
});
