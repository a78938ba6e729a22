import { expect, test } from "vitest";
import { createPaint } from "./output.ts";
import { table } from "./table.ts";

const PLAIN = { paint: createPaint(false), width: undefined };
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
      PLAIN,
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
    { paint: createPaint(true), width: undefined },
  );
  expect(coloured).toContain("a     \u001B[31m1\u001B[39m   -\n");
});

interface Row {
  id: string;
  name: string;
  scopes: string;
}
const THREE = [
  { title: "CLIENT", of: (row: Row) => row.id },
  { title: "NAME", of: (row: Row) => row.name },
  { title: "SCOPES", of: (row: Row) => row.scopes },
];
const ROWS: Row[] = [
  { id: "billing", name: "bills of the north", scopes: "time:read primes:check" },
  { id: "b", name: "b", scopes: "time:read" },
];
const shown = (width: number | undefined, rows = ROWS): string[] =>
  table(rows, THREE, { ...PLAIN, width }).split("\n");

test("where nothing limits it, nothing is cut", () => {
  expect(shown(undefined)).toEqual([
    "CLIENT   NAME                SCOPES",
    "billing  bills of the north  time:read primes:check",
    "b        b                   time:read",
    "",
  ]);
});

test("on a terminal the widest cells lose their ends, and the first column none", () => {
  expect(shown(36)).toEqual([
    "CLIENT   NAME          SCOPES",
    "billing  bills of th…  time:read pr…",
    "b        b             time:read",
    "",
  ]);
});

test("where even cut columns do not fit, each item is a block of its own, with nothing cut", () => {
  expect(shown(20)).toEqual([
    "CLIENT  billing",
    "NAME    bills of the north",
    "SCOPES  time:read primes:check",
    "",
    "CLIENT  b",
    "NAME    b",
    "SCOPES  time:read",
    "",
  ]);
});

// Widths as terminals show them (Unicode UAX #11): 2 for CJK and emoji, 0 for what joins to a letter.
test.each([
  ["CJK", "鍵鍵鍵", 6],
  ["full-width", "ＡＢ", 4],
  ["Hangul", "한국", 4],
  ["emoji", "🔑🔑", 4],
  ["a flag", "🇫🇷", 2],
  ["an emoji with a skin tone", "👍🏽", 2],
  ["a keycap", "1\uFE0F\u20E3", 2],
  ["combining marks", "e\u0301e\u0301", 2],
  ["many marks on one letter", `z${"\u0335".repeat(40)}`, 1],
  ["Thai", "กำ", 2],
  ["an escape that is shown as one sign", "\u001B[31m", 5],
  ["a zero-width space that is shown as one sign", "a\u200Bb", 3],
])("columns are aligned by what a terminal shows: %s", (_name, text, width) => {
  const rows = [{ id: "a", name: text, scopes: "x" }];
  const [, line = ""] = shown(undefined, rows);
  const column = Math.max(width, "NAME".length);
  expect(line.endsWith(`${" ".repeat(column - width + 2)}x`)).toBe(true);
});

test.each([8, 9, 10, 11, 12, 13])("no character is cut in half: %i columns for a name", (room) => {
  for (const name of ["鍵".repeat(30), "🇫🇷".repeat(30), "👍🏽".repeat(30), "e\u0301".repeat(90)]) {
    const lines = shown("CLIENT".length + room + "SCOPES".length + 4, [
      { id: "a", name, scopes: "x" },
    ]);
    const cell = /(\S+)…/.exec(lines[1] ?? "")?.[1] ?? "";
    expect(cell).not.toBe("");
    expect(name.startsWith(cell)).toBe(true);
    expect([...new Intl.Segmenter().segment(cell)].at(-1)?.segment).toBe(
      [...new Intl.Segmenter().segment(name)][0]?.segment,
    );
  }
});

test("a cell of a megabyte is laid out at once", () => {
  const [, line = ""] = shown(80, [{ id: "a", name: "x".repeat(1_000_000), scopes: "y" }]);
  expect(line).toHaveLength(80 - "SCOPE".length);
});
