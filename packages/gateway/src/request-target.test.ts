import { describe, expect, test } from "vitest";
import { foldSegments, readHost, readTarget } from "./request-target.ts";

describe("a path that can be read in two ways is refused", () => {
  test.each([
    ["", "no_path"],
    ["orders", "no_path"],
    ["*", "no_path"],
    ["http://api.example.com/orders", "no_path"],
    ["?/orders", "no_path"],
    ["/orders\u0000", "character"],
    ["/orders /x", "character"],
    ["/ord\u00E9rs", "character"],
    ["/orders\tx", "character"],
    ["/orders?a\u0001", "character"],
    ["/orders#x", "fragment"],
    ["/orders?a#x", "fragment"],
    ["/..\\orders", "backslash"],
    ["/orders;v=1", "path_parameter"],
    ["/orders;/admin", "path_parameter"],
    ["/orders%2fadmin", "encoded_delimiter"],
    ["/orders%2Fadmin", "encoded_delimiter"],
    ["/orders%5cadmin", "encoded_delimiter"],
    ["/orders%3bx", "encoded_delimiter"],
    ["/orders%3Fx", "encoded_delimiter"],
    ["/orders%23x", "encoded_delimiter"],
    ["/orders%00", "encoded_delimiter"],
    ["/orders%0d%0aX:1", "encoded_delimiter"],
    ["/orders%09", "encoded_delimiter"],
    ["/orders%7F", "encoded_delimiter"],
    ["/orders%252fadmin", "encoded_delimiter"],
    ["/orders%25%32%66admin", "encoded_delimiter"],
    ["/orders%252e%252e", "encoded_delimiter"],
    ["/orders%", "percent_encoding"],
    ["/orders%2", "percent_encoding"],
    ["/orders%zz", "percent_encoding"],
    ["/orders%u002f", "percent_encoding"],
    ["/orders%ff", "percent_encoding"],
    ["/orders%c0%af", "percent_encoding"],
    ["/orders%c0%ae%c0%ae", "percent_encoding"],
    ["/orders%ed%a0%80", "percent_encoding"],
    ["/orders%ef%bc%8fadmin", "unusual_unicode"],
    ["/%ef%bc%8e%ef%bc%8e/admin", "unusual_unicode"],
    ["/%ef%bd%81dmin", "unusual_unicode"],
    ["/%c5%bfecret", "unusual_unicode"],
    ["/orders%c2%85", "unusual_unicode"],
    ["/orders%e2%80%a8", "unusual_unicode"],
    ["//", "empty_segment"],
    ["//orders", "empty_segment"],
    ["/orders//1", "empty_segment"],
    ["//api.example.com/orders", "empty_segment"],
    ["/.", "dot_segment"],
    ["/..", "dot_segment"],
    ["/orders/../admin", "dot_segment"],
    ["/orders/./1", "dot_segment"],
    ["/orders/..", "dot_segment"],
    ["/orders/%2e%2e/admin", "dot_segment"],
    ["/orders/.%2E/admin", "dot_segment"],
    ["/%2e/admin", "dot_segment"],
  ])("%j: %s", (target, fault) => {
    expect(readTarget(target)).toBe(fault);
  });
});

test.each([
  ["/", [""]],
  ["/orders", ["orders"]],
  ["/orders/", ["orders", ""]],
  ["/orders/1?x=/../%2f%00;", ["orders", "1"]],
  ["/%6frders", ["orders"]],
  ["/caf%C3%A9/%E6%97%A5", ["café", "日"]],
  ["/a%20b/100%25", ["a b", "100%"]],
  ["/...", ["..."]],
  ["/.well-known/x", [".well-known", "x"]],
  ["/a:b@c!$&'()*+,=~_-", ["a:b@c!$&'()*+,=~_-"]],
])("RFC 3986 §6.2.2.2: %j is %j", (target, segments) => {
  expect(readTarget(target)).toEqual(segments);
});

test("a service that is less exact may read these as one", () => {
  for (const target of ["/ADMIN", "/admin/", "/Admin.", "/admin%20", "/admin.%20."]) {
    expect([target, foldSegments(readTarget(target) as string[])]).toEqual([target, ["admin"]]);
  }
  expect(foldSegments([""])).toEqual([""]);
});

test.each([
  ["api.example.com", "api.example.com"],
  ["API.example.com:8443", "api.example.com"],
  ["localhost", "localhost"],
  ["[2001:DB8::1]:80", "[2001:db8::1]"],
  ["api.example.com.", undefined],
  ["api..example.com", undefined],
  [".example.com", undefined],
  ["", undefined],
  ["api.example.com,evil", undefined],
  ["api.example.com:80:80", undefined],
  ["api.example.com/x", undefined],
  ["user@api.example.com", undefined],
  ["api.example.com\u0000", undefined],
  ["*", undefined],
])("the host %j is %j", (text, host) => {
  expect(readHost(text)).toBe(host);
});
