import { expect, test } from "vitest";
import { duration, parseDuration, relative } from "./times.ts";

test.each([
  ["0", 0],
  ["90", 90],
  ["90s", 90],
  ["30m", 1800],
  ["5min", 300],
  ["24h", 86_400],
  ["7d", 604_800],
])("a length of time may be written %s", (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds);
});

test.each(["", "h", "-1h", "1.5h", "1 h", "1w", "24H", "1h30m", "9999999999"])(
  "and not %j",
  (text) => {
    expect(() => parseDuration(text)).toThrow("is not a length of time");
  },
);

test.each([
  [0, "0 s"],
  [1, "1 s"],
  [118, "118 s"],
  [120, "2 min"],
  [5400, "90 min"],
  [7199, "2 h"],
  [86_400, "24 h"],
  [172_800, "2 d"],
  [366 * 86_400, "366 d"],
])("%d seconds read %s", (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test("a time reads as its distance from now", () => {
  expect([relative(1000, 1000), relative(1600, 1000), relative(400, 1000)]).toEqual([
    "now",
    "in 10 min",
    "10 min ago",
  ]);
});
