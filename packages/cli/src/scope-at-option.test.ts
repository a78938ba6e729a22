import { expect, test } from "vitest";
import { scopeAtOption, scopesAtText } from "./scope-at-option.ts";

test("--scope-at names a resource and the scopes there, and may be repeated", () => {
  const first = scopeAtOption("https://api.example  time:read primes:check", undefined);
  const both = scopeAtOption("https://other.example", first);
  expect(both).toEqual([
    { resource: "https://api.example", scopes: ["time:read", "primes:check"] },
    { resource: "https://other.example", scopes: [] },
  ]);
  expect(scopesAtText(both)).toBe(
    "https://api.example time:read primes:check, https://other.example",
  );
});

test.each(["", "no-resource time:read", " "])("--scope-at %j is refused", (text) => {
  expect(() => scopeAtOption(text, undefined)).toThrow("Write");
});
