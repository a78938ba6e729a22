import { expect, test } from "vitest";
import { quotaOption } from "./quota-option.ts";

test.each([
  ["5/day", { limit: 5, window: "day" }],
  ["0/second", { limit: 0, window: "second" }],
  ["100/minute primes:check", { limit: 100, window: "minute", scope: "primes:check" }],
])("%j is a quota", (text, quota) => {
  expect(quotaOption(text, undefined)).toEqual([quota]);
  expect(quotaOption(text, [{ limit: 1, window: "hour" }])).toEqual([
    { limit: 1, window: "hour" },
    quota,
  ]);
});

test.each([
  "",
  "5",
  "/day",
  "5/",
  "5/days",
  "-5/day",
  "5.5/day",
  "5 /day",
  "5/day ",
  "5/day a b",
  "5/toString",
  "9999999999/day",
])("%j is none", (text) => {
  expect(() => quotaOption(text, undefined)).toThrow("Write 5/day");
});
