import { expect, test } from "vitest";

import { onceIn } from "./once-in.ts";

test("the first of each period is told apart, and those between do not prolong it", () => {
  let now = 7;
  const isDue = onceIn(5, () => now);
  const at = (second: number): boolean => {
    now = second;
    return isDue();
  };
  expect([7, 7, 11, 11.9, 12, 12, 16.9, 40].map(at)).toEqual([
    true,
    false,
    false,
    false,
    true,
    false,
    false,
    true,
  ]);
});
