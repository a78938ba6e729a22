import { expect, test } from "vitest";
import { createPaint, facts, json, printable, table } from "./output.ts";

const plain = createPaint(false);
const COLUMNS = [
  { title: "NAME", of: (row: { name: string }) => row.name },
  { title: "N", of: (row: { n: string }) => row.n, style: () => "red" as const },
  { title: "LAST", of: () => "" },
];

test("a table is aligned under its titles, a dash for what is not there, no trailing space", () => {
  expect(
    table(
      [
        { name: "a", n: "1" },
        { name: "longer", n: "22" },
      ],
      COLUMNS,
      plain,
    ),
  ).toBe("NAME    N   LAST\na       1   -\nlonger  22  -\n");
});

test("colours do not move the columns", () => {
  const coloured = table(
    [
      { name: "a", n: "1" },
      { name: "b", n: "22" },
    ],
    COLUMNS,
    createPaint(true),
  );
  expect(coloured).toContain("a     \u001B[31m1\u001B[39m   -\n");
});

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
  const shown = table([{ name: text, n: "" }], COLUMNS, plain) + facts([["name", text]]);
  expect(shown).not.toContain(text);
  expect(printable(text)).toMatch(/\uFFFD/);
});
