import { expect, test } from "vitest";
import { comparableUri } from "./resource-uri.ts";

const SAME: [string, ...string[]][] = [
  [
    "http://host/",
    "http://host",
    "HTTP://HOST",
    "http://host:80",
    "http://host:/",
    "http://h%6Fst/",
  ],
  ["https://host/", "https://host:443", "https://HOST:443/", "https://host/.", "https://host/a/.."],
  ["https://host:80/", "https://host:80"],
  ["https://host/a/b", "https://host/a/./b", "https://host/x/../a/b", "https://host/%61/b"],
  ["https://host/a/", "https://host/a/.", "https://host/a/b/..", "https://host/../a/"],
  ["https://host/%C3%A9", "https://host/%c3%a9"],
  ["https://host/~a?q=~", "https://host/%7Ea?q=%7e"],
  ["https://[2001:db8::1]/", "https://[2001:DB8::1]:443"],
  ["urn:example:a%2F", "URN:example:%61%2f"],
];

const DIFFERENT = [
  "http://host/",
  "https://host/",
  "http://host:8080/",
  "http://user@host/",
  "http://host//",
  "http://host/a",
  "http://host/A",
  "http://host/a/",
  "http://host/a%2Fb",
  "http://host/a/b",
  "http://host/?",
  "http://host/?a",
  "http://host/#",
  "http://host./",
  "http://host.evil.example/",
  "http://host%2F.evil.example/",
  "http://host%00/",
  "http://host\\@evil.example/",
  "urn:example:a",
  "urn:Example:a",
  "urn:example:a/.",
];

test.each(SAME)(
  "RFC 3986 §6.2.2, §6.2.3: %s is its own form, and that of its equivalents",
  (...all) => {
    for (const uri of all) expect(comparableUri(uri), uri).toBe(all[0]);
  },
);

test("what is not equivalent stays apart", () => {
  expect(new Set(DIFFERENT.map(comparableUri)).size).toBe(DIFFERENT.length);
});

test("a form is the form of itself, and what is no URI stays as it is", () => {
  for (const uri of [...SAME.flat(), ...DIFFERENT]) {
    expect(comparableUri(comparableUri(uri))).toBe(comparableUri(uri));
  }
  for (const text of [
    "",
    "host",
    "//host",
    "/a/../b",
    "http",
    "1:2",
    "http://a:b/",
    "http://[/",
    "\0",
  ]) {
    expect(comparableUri(text)).toBe(text);
  }
});
