import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OAuthError } from "./oauth-error.ts";
import { formatScope, intersection, isScopeToken, parseScope } from "./scope.ts";

const token = fc.stringMatching(/^[\x21\x23-\x5B\x5D-\x7E]{1,12}$/);

function codeOf(text: string): string | undefined {
  try {
    parseScope(text);
    return undefined;
  } catch (error) {
    return error instanceof OAuthError ? error.code : "another error";
  }
}

describe("the scope parameter (RFC 6749 §3.3)", () => {
  test("order and case are kept, and a repeated token counts once", () =>
    expect(parseScope("b:read A b:READ b:read a")).toEqual(["b:read", "A", "b:READ", "a"]));

  test("what is written is read back", () => {
    fc.assert(
      fc.property(fc.uniqueArray(token, { minLength: 1 }), (scope) => {
        expect(parseScope(formatScope(scope))).toEqual(scope);
      }),
    );
  });

  test("a token has the characters of the grammar and no others", () => {
    const allowed = Array.from({ length: 0x180 }, (_, code) => code).filter((code) =>
      isScopeToken(String.fromCharCode(code)),
    );
    const grammar = Array.from({ length: 0x7f - 0x21 }, (_, i) => 0x21 + i).filter(
      (code) => code !== 0x22 && code !== 0x5c,
    );
    expect(allowed).toEqual(grammar);
  });

  test.each([
    "",
    " ",
    " a",
    "a ",
    "a  b",
    "a\tb",
    "a\nb",
    "a\n",
    'a"b',
    "a\\b",
    "a\u00a0b",
    "é",
    "a\0",
  ])("%j is invalid_scope", (text) => expect(codeOf(text)).toBe("invalid_scope"));
});

test("an intersection has what stands in both, in the order of the first", () => {
  expect(intersection(["c", "a", "b"], ["a", "c", "d"])).toEqual(["c", "a"]);
  fc.assert(
    fc.property(fc.uniqueArray(token), fc.uniqueArray(token), (scope, allowed) => {
      const both = intersection(scope, allowed);
      for (const item of [...scope, ...allowed]) {
        expect(both.includes(item)).toBe(scope.includes(item) && allowed.includes(item));
      }
      expect(scope.filter((item) => both.includes(item))).toEqual(both);
    }),
  );
});
