import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex, toHex, utf8, xor } from "./bytes.ts";

describe("hex", () => {
  test("every byte is two lowercase digits", () =>
    expect(toHex(Uint8Array.of(0, 1, 0x0f, 0x10, 0xab, 0xff))).toBe("00010f10abff"));

  test("what is written is read back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString("hex"));
        expect(fromHex(toHex(bytes), bytes.length)).toEqual(bytes);
      }),
    );
  });

  test("one value has one spelling: what is read is what would be written", () => {
    const anyText = fc.oneof(
      fc.string({ unit: "binary", minLength: 4, maxLength: 4 }),
      fc.stringMatching(/^[0-9a-fA-F]{4}$/),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        const bytes = fromHex(text, 2);
        expect(bytes === undefined ? undefined : toHex(bytes)).toBe(
          /^[0-9a-f]{4}$/.test(text) ? text : undefined,
        );
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["upper case", "AB01"],
    ["too short", "ab0"],
    ["too long", "ab012"],
    ["a line feed at the end", "ab0\n"],
    ["four digits and a line feed", "ab01\n"],
    ["a space", "ab 1"],
    ["a NUL", "ab0\0"],
    ["a sign", "-b01"],
    ["0x", "0x01"],
    ["full-width digits", "\uff10\uff11ab"],
    ["nothing", ""],
  ])("%s is not read", (_name, text) => expect(fromHex(text, 2)).toBeUndefined());
});

describe("xor", () => {
  test("undoes itself", () => {
    const pair = fc
      .nat(64)
      .chain((length) =>
        fc.tuple(
          fc.uint8Array({ minLength: length, maxLength: length }),
          fc.uint8Array({ minLength: length, maxLength: length }),
        ),
      );
    fc.assert(
      fc.property(pair, ([a, b]) => {
        expect(xor(xor(a, b), b)).toEqual(a);
      }),
    );
  });

  test("is that of each byte", () =>
    expect(xor(Uint8Array.of(0b1100, 255), Uint8Array.of(0b1010, 255))).toEqual(
      Uint8Array.of(0b0110, 0),
    ));

  test("two lengths are a programmer's mistake", () =>
    expect(() => xor(new Uint8Array(2), new Uint8Array(3))).toThrow(TypeError));
});

test("utf8 gives the bytes of a text", () =>
  expect(utf8("é€😀")).toEqual(new Uint8Array(Buffer.from("é€😀"))));
