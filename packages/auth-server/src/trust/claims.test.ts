/** Paths to claims, and globs: what they mean, and what they cost at worst. */
import { expect, test } from "vitest";
import { readJsonObject } from "@daykey/common/json-numbers";
import { claimAt, compileGlob, parseClaimPath, textsOf } from "./claims.ts";

const CLAIMS = readJsonObject(
  `{"sub":"s","a.b":"dotted","a":{"b":"nested","b.c":"inner"},"kubernetes.io":{"serviceaccount":{"name":"n"}},
    "https://x/y":"url","~":"tilde","__proto__":{"polluted":"p"},"list":["x",1,true,null,["y"],{"z":1}],"n":7,"f":1.5,"deep":{"a":{"b":{"c":"d"}}}}`,
);

test.each([
  ["sub", ["s"]],
  ["/sub", ["s"]],
  ["/a.b", ["dotted"]],
  ["/a/b", ["nested"]],
  ["/a/b.c", ["inner"]],
  ["/kubernetes.io/serviceaccount/name", ["n"]],
  ["/https:~1~1x~1y", ["url"]],
  ["/~0", ["tilde"]],
  ["/__proto__/polluted", ["p"]],
  ["/deep/a/b/c", ["d"]],
  ["list", ["x", "1", "true"]],
  ["n", ["7"]],
  ["f", []],
  ["a", []],
  ["/list/0", []],
  ["/sub/length", []],
  ["toString", []],
  ["constructor", []],
  ["/constructor/name", []],
  ["/a/__proto__", []],
  ["/a/constructor/prototype", []],
  ["hasOwnProperty", []],
])("X9: %s leads to the token's own claims and nothing else", (text, expected) => {
  const path = parseClaimPath(text);
  expect(path && textsOf(claimAt(CLAIMS ?? {}, path))).toEqual(expected);
});

test.each([
  "",
  "/",
  "//",
  "/a/",
  "a.b",
  "kubernetes.io/serviceaccount.name",
  "/a~",
  "/a~2",
  "/a\nb",
  "/\u0000",
  "a b",
  "$.a",
  `/${"a/".repeat(8)}a`,
  `/${"a".repeat(512)}`,
  "é",
])("X9: %j is no path", (text) => {
  expect(parseClaimPath(text)).toBe(undefined);
});

test.each([
  ["refs/heads/*", "refs/heads/main", true],
  ["refs/heads/*", "refs/heads/", true],
  ["refs/heads/*", "refs/heads/a/b", false],
  ["refs/heads/**", "refs/heads/a/b", true],
  ["repo:octo/*:environment:prod", "repo:octo/a:environment:prod", true],
  ["repo:octo/*:environment:prod", "repo:octo/a:x:environment:prod", false],
  ["repo:octo/*", "repo:octo-evil/a", false],
  ["a*c*", "abcd", true],
  ["a*c", "abcd", false],
  ["*a*", "xay", true],
  ["**", "", true],
  ["a", "ab", false],
  ["ab", "a", false],
  ["a.c", "abc", false],
  ["[ab]", "a", false],
  ["a?", "ab", false],
  ["(a+)+", "aaaa", false],
  ["\u{1F600}*", "\u{1F600}x", true],
  ["A*", "abc", false],
  ["ab*ba", "aba", false],
  ["ab*ba", "abba", true],
  ["ab*b:a", "ab/b:a", false],
  ["\uD83D*", "\u{1F600}", false],
  ["*\uDE00", "\u{1F600}", false],
])("the glob %s, and %j: %j", (glob, text, isMet) => {
  expect(compileGlob(glob).matches(text)).toBe(isMet);
});

test("X9: the worst glob against the worst value takes bounded steps", () => {
  const value = "a".repeat(2048);
  // Backtracking would take longer than anybody lives.
  expect(compileGlob(`${"*a".repeat(127)}b`).matches(value)).toBe(false);
  expect(compileGlob(`${"**a".repeat(85)}b`).matches(value)).toBe(false);
});
