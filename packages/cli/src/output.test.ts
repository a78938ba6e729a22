import { expect, test } from "vitest";
import { facts, json, printable } from "./output.ts";

test("facts are aligned, and what is unknown is left out", () => {
  expect(
    facts([
      ["a", "1"],
      ["long", "2"],
      ["none", undefined],
    ]),
  ).toBe("a     1\nlong  2\n");
});

test("JSON keeps integers exact", () => {
  expect(json({ n: 172983479832623897492387592384682937659382477n })).toBe(
    '{\n  "n": 172983479832623897492387592384682937659382477\n}\n',
  );
});

test.each([
  "\u001B[31mred",
  "a\nb",
  "a\rb",
  "\u0007",
  "\u009B1m",
  "a\u202Eb",
  "a\u200Bb",
  "a\u2028b",
])("what a server wrote does not steer the terminal: %j", (text) => {
  const shown = facts([["name", text]]);
  expect(shown).not.toContain(text);
  expect(printable(text)).toMatch(/\uFFFD/);
});
