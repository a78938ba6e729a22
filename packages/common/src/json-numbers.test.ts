import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JsonSyntaxError, parseJson, stringifyJson, type JsonValue } from "./json-numbers.ts";

function refusal(text: string, options?: Parameters<typeof parseJson>[1]): string {
  try {
    parseJson(text, options);
  } catch (error) {
    if (error instanceof JsonSyntaxError) return `${error.message} at ${error.offset}`;
    throw error;
  }
  return "accepted";
}

/** What JSON.parse gives, in this parser's types: doubles that are written as integers become bigint. */
function exact(value: unknown): unknown {
  // Judged by the text as written: above 2^53 a double is written shorter than it is.
  const text = typeof value === "number" ? JSON.stringify(value) : "";
  const [, digits = "", fraction = "", exponent = "0"] =
    /^(-?\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(text) ?? [];
  const zeros = Number(exponent) - fraction.length;
  if (digits !== "" && zeros >= 0) return BigInt(digits + fraction) * 10n ** BigInt(zeros);
  if (Array.isArray(value)) return value.map(exact);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, exact(member)]));
  }
  return value;
}

const plainText = fc.string({ unit: "binary" }).filter((text) => !/\p{Cc}/u.test(text));
const { value: anyJson } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", maxDepth: 6 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.maxSafeInteger(),
    plainText,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.oneof(plainText, fc.constant("__proto__")), tie("value"), { maxKeys: 4 }),
  ),
}));

describe("numbers", () => {
  test("an integer of any size is read and written losslessly", () => {
    const big = (1n << 4096n) - 1n;
    const text = `[0,-7,9007199254740993,${big},-${big}]`;
    expect(parseJson(text)).toEqual([0n, -7n, 9007199254740993n, big, -big]);
    expect(stringifyJson(parseJson(text))).toBe(text);
  });

  test.each([
    ["30.0", 30n],
    ["3e1", 30n],
    ["1E2", 100n],
    ["1.50e+1", 15n],
    ["1.5e+400", 15n * 10n ** 399n],
    ["300e-1", 30n],
    ["-30.00e-1", -3n],
    ["-0", 0n],
    ["-0.0", 0n],
    ["0e400000", 0n],
    ["0.0e-999999999999", 0n],
    ["9007199254740993.0", 9_007_199_254_740_993n],
    ["9.007199254740993e15", 9_007_199_254_740_993n],
    [`1.${"0".repeat(10_000)}`, 1n],
    [`1e${"0".repeat(10_000)}1`, 10n],
    ["1e4999", 10n ** 4999n],
  ])("%s is an integer (RFC 8259 §6: a number is its value)", (text, value) => {
    expect(parseJson(text)).toBe(value);
  });

  test.each([
    ["1.5", 1.5],
    ["-0.5E-1", -0.05],
    ["301e-1", 30.1],
    ["1e-400000", 0],
    ["1.0000000000000000000000001", 1],
    [`${"9".repeat(400)}.5`, Number.MAX_VALUE],
    [`-${"9".repeat(400)}.5`, -Number.MAX_VALUE],
  ])("%s is none: it is a double", (text, value) => {
    expect(parseJson(text)).toBe(value);
  });

  test.each([
    "01",
    "-",
    "+1",
    ".5",
    "1.",
    "1e",
    "1e+",
    "--1",
    "0x1",
    "1_0",
    "NaN",
    "Infinity",
    "١",
  ])("%s is no JSON number (RFC 8259 §6)", (text) =>
    expect(refusal(text)).toMatch(/^Unexpected (character|end of text) at /),
  );

  test.each(["1".repeat(5001), "1e5000", "1e400000", "1e999999999999", `1e${"9".repeat(10_000)}`])(
    "%s has too many digits",
    (text) => {
      expect(refusal(text)).toBe("Number too long at 0");
      expect(parseJson(text, { longIntegers: "infinite" })).toBe(Infinity);
      expect(parseJson(`[-${text}]`, { longIntegers: "infinite" })).toEqual([-Infinity]);
    },
  );

  test("the sign is no digit", () => {
    expect(refusal("1".repeat(5000))).toBe("accepted");
    expect(refusal(`-${"1".repeat(5000)}`)).toBe("accepted");
    expect(refusal("[12345]", { maxDigits: 4 })).toBe("Number too long at 1");
  });
});

describe("strings", () => {
  test("escapes are undone", () => {
    expect(parseJson(String.raw`"\"\\\/A\u00e9\ud83d\ude00"`)).toBe('"\\/Aé😀');
  });

  test.each([
    ["\u0000", "a raw NUL"],
    ["\n", "a raw line feed"],
    ["\u007f", "a raw DEL"],
    ["\u009b", "a raw C1 control"],
    [String.raw`\u0000`, "an escaped NUL"],
    [String.raw`\n`, "an escaped line feed"],
    [String.raw`\u001b`, "an escaped ESC"],
    [String.raw`\u0085`, "an escaped C1 control"],
  ])("H7: %j (%s) is refused", (content) => {
    expect(refusal(`"a${content}b"`)).toBe("Control character in a string at 0");
    expect(refusal(`{"a${content}b":1}`)).toBe("Control character in a string at 1");
  });

  test.each([String.raw`\ud800`, String.raw`\udc00\ud800`, "\ud800"])(
    "H7: the lone surrogate in %j is refused",
    (content) => expect(refusal(`"${content}"`)).toBe("Lone surrogate in a string at 0"),
  );

  test.each([String.raw`\x41`, String.raw`\u12g4`, String.raw`\u12`, String.raw`\a`])(
    "the escape %s is refused",
    (content) => expect(refusal(`"${content}"`)).toBe("Invalid escape in a string at 0"),
  );
});

describe("objects and depth", () => {
  test("H5: a duplicate name is refused, however it is spelt", () => {
    expect(refusal('{"a":1,"a":1}')).toBe("Duplicate member name at 7");
    expect(refusal(String.raw`{"a":1,"\u0061":2}`)).toBe("Duplicate member name at 7");
    expect(refusal('{"__proto__":1,"__proto__":2}')).toBe("Duplicate member name at 15");
  });

  test("A3: __proto__, constructor and toString are plain names", () => {
    const text = '{"__proto__":{"admin":true},"constructor":1,"toString":2}';
    const object = parseJson(text) as Record<string, JsonValue>;
    expect(Object.getPrototypeOf(object)).toBeNull();
    expect(Object.keys(object)).toEqual(["__proto__", "constructor", "toString"]);
    expect(stringifyJson(object)).toBe(text);
  });

  test("H6: eight levels are read and nine are not", () => {
    expect(refusal("[".repeat(8) + "]".repeat(8))).toBe("accepted");
    expect(refusal("[".repeat(9) + "]".repeat(9))).toBe("Nested too deeply at 8");
    expect(refusal(`${'{"a":'.repeat(9)}1${"}".repeat(9)}`)).toBe("Nested too deeply at 40");
    expect(refusal("[".repeat(1_000_000))).toBe("Nested too deeply at 8");
    expect(refusal("[[1]]", { maxDepth: 1 })).toBe("Nested too deeply at 1");
  });
});

describe("grammar", () => {
  test.each([
    ["", "Unexpected end of text at 0"],
    [" \t\r\n", "Unexpected end of text at 4"],
    ["{", "Unexpected end of text at 1"],
    ["[1", "Unexpected end of text at 2"],
    ['"abc', "Unexpected end of text at 4"],
    ['"abc\\', "Unexpected end of text at 5"],
    ["[1,]", "Unexpected character at 3"],
    ["[1 2]", "Unexpected character at 3"],
    ["[,1]", "Unexpected character at 1"],
    ['{"a":1,}', "Unexpected character at 7"],
    ['{"a" 1}', "Unexpected character at 5"],
    ["{a:1}", "Unexpected character at 1"],
    ["{1:1}", "Unexpected character at 1"],
    ["{'a':1}", "Unexpected character at 1"],
    ["1 1", "Unexpected character at 2"],
    ["{} x", "Unexpected character at 3"],
    ["nulls", "Unexpected character at 4"],
    ["nul", "Unexpected character at 0"],
    ["True", "Unexpected character at 0"],
    ["/**/1", "Unexpected character at 0"],
    ["\u00a01", "Unexpected character at 0"],
    ["\ufeff1", "Unexpected character at 0"],
    ["]", "Unexpected character at 0"],
  ])("%j: %s", (text, expected) => expect(refusal(text)).toBe(expected));

  test("white space may stand around every token (RFC 8259 §2)", () => {
    expect(
      stringifyJson(parseJson(' \t{ "a"\r:\n[ 1 , null , true , false ] , "b" : { } , "c":[ ] } ')),
    ).toBe('{"a":[1,null,true,false],"b":{},"c":[]}');
  });

  test("agrees with JSON.parse on everything JSON.stringify writes", () => {
    fc.assert(
      fc.property(anyJson, fc.constantFrom(undefined, 2), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        expect(JSON.stringify(exact(JSON.parse(text)), writeBigint)).toBe(
          JSON.stringify(parseJson(text), writeBigint),
        );
        const written = stringifyJson(parseJson(text));
        expect(JSON.stringify(JSON.parse(written))).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  test("never accepts what JSON.parse refuses", () => {
    const characters = '{}[],:"\\ue1-.0+ \n'.split("");
    const pieces = fc.constantFrom(...characters, "true", "null", '"a"', "\\u0041");
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join("");
        if (refusal(text) === "accepted") JSON.parse(text);
      }),
      { numRuns: 5000 },
    );
  });
});

/** Tells a bigint from a double in the comparison above. */
function writeBigint(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? { bigint: value.toString() } : value;
}

test("stringifyJson refuses what JSON cannot hold", () => {
  for (const value of [undefined, Number.NaN, Infinity, () => 1, Symbol("s")] as unknown[]) {
    expect(() => stringifyJson({ value } as JsonValue)).toThrow(TypeError);
  }
});

test("D3: values are counted, wherever they stand, and 10,000 are enough", () => {
  const list = (count: number) => `[${Array(count).fill("0").join()}]`;
  const members = Array.from({ length: 10_000 }, (_, index) => `"${index}":0`).join();
  expect(parseJson(list(9_999))).toHaveLength(9_999);
  expect(parseJson(list(10_000), { maxValues: 10_001 })).toHaveLength(10_000);
  for (const text of [list(10_000), `{${members}}`, `[${Array(5_000).fill("[[]]").join()}]`]) {
    expect(() => parseJson(text)).toThrow("Too many values");
  }
  // Not a byte more is read.
  expect(() => parseJson(`[0,0,${"?".repeat(9)}`, { maxValues: 3 })).toThrow("Too many values");
});
