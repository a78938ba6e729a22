import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ROUTES_FILE, readRoutesFile } from "./routes-file.ts";
import { readUpstreamsFile, UPSTREAMS_FILE } from "./upstreams-file.ts";
import { FileError } from "./yaml-file.ts";

const SCHEMAS = [
  ["routes.schema.json", ROUTES_FILE],
  ["upstreams.schema.json", UPSTREAMS_FILE],
] as const;

function faultsOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof FileError) return error.faults;
    throw error;
  }
  return [];
}
const routes = (text: string): readonly string[] =>
  faultsOf(() => readRoutesFile(text, { name: "r.yaml", resource: "https://api.example.com" }));
const upstreams = (text: string): readonly string[] =>
  faultsOf(() => readUpstreamsFile(text, { name: "u.yaml" }));
const host = (...lines: string[]): string =>
  ["hosts:", "  a.example.com:", "    routes:", ...lines.map((line) => `      - ${line}`)].join(
    "\n",
  );

describe("faults of a routes file are told together, each with its line", () => {
  test("from all places at once", () => {
    const shapes = host(
      "{ path: b, scope: b }",
      "{ path: /c, access: open }",
      "{ path: /d, colour: red }",
    );
    expect(routes(shapes).map((line) => line.split(":").slice(0, 3).join(":"))).toEqual([
      "r.yaml:4: path",
      "r.yaml:5: access",
      "r.yaml:6: Unrecognized key",
    ]);
    const meanings = host(
      "{ path: /c }",
      "{ path: /d//e, scope: d }",
      "{ path: /f, scope: f, methods: [HEAD] }",
    );
    expect(routes(meanings)).toEqual([
      "r.yaml:4: a route has a scope, or access: public or denied",
      "r.yaml:5: this path is refused in requests: it can be read in two ways",
      "r.yaml:6: HEAD is allowed where GET is",
    ]);
  });

  test.each([
    ["hosts: [", "r.yaml:1: "],
    ["", "r.yaml:1: "],
    ["hosts: {}\nhosts: {}", "r.yaml:2: "],
    ["routes: []", "r.yaml:1: "],
    ["hosts: { A.example.com: { routes: [{ path: /, access: public }] } }", "lower case"],
    ["hosts: { 'a.example.com:80': { routes: [{ path: /, access: public }] } }", "without a port"],
    [
      "hosts: { a.example.com: { resource: ftp://a, routes: [{ path: /, access: public }] } }",
      "resource",
    ],
    ["hosts: { a.example.com: { routes: [] } }", "routes"],
    [host("{ path: /, access: open }"), "r.yaml:4: access"],
    [host("{ path: / }"), "r.yaml:4: a route has a scope, or access"],
    [host("{ path: /, scope: a, access: denied }"), "r.yaml:4: a route has a scope, or access"],
    [host("{ path: /, access: public, only: [a] }"), "r.yaml:4: only and quota need a scope"],
    [host("{ path: /, scope: 'a b' }"), "r.yaml:4: this is not one scope"],
    [host("{ path: /, scope: '' }"), "r.yaml:4: scope"],
    [host("{ path: /, scope: a, methods: [get] }"), "r.yaml:4: "],
    [host("{ path: /, scope: a, methods: [] }"), "r.yaml:4: methods"],
    [host("{ path: /, scope: a, methods: [HEAD] }"), "r.yaml:4: HEAD is allowed where GET is"],
    [host("{ path: /, scope: a, only: ['a b'] }"), "r.yaml:4: "],
    [host("{ path: /, scope: a, quota: { name: x, limit: -1, window: day } }"), "r.yaml:4: limit"],
    [host("{ path: /, scope: a, quota: { name: x, limit: 1, window: year } }"), "r.yaml:4: window"],
    [host("{ path: /a//b, scope: a }"), "r.yaml:4: this path is refused in requests"],
    [host("{ path: /a/../b, scope: a }"), "r.yaml:4: this path is refused in requests"],
    [host("{ path: /a%2fb, scope: a }"), "r.yaml:4: this path is refused in requests"],
    [host("{ path: '/a?b', scope: a }"), "r.yaml:4: this path is refused in requests"],
    [host("{ path: /a*, scope: a }"), "r.yaml:4: `*` stands for a whole segment"],
    [host("{ path: /**/a, scope: a }"), "r.yaml:4: `*` stands for a whole segment"],
    [
      host("{ path: /a, scope: a }", "{ path: /a, scope: b }"),
      "r.yaml:5: * /a is the same path as * /a",
    ],
    [host("{ path: /a, scope: a }", "{ path: /%61, scope: b }"), "r.yaml:5: "],
    [
      host("{ path: /a, scope: a }", "{ path: /A, scope: b }"),
      "r.yaml:5: * /A is the same path but for case",
    ],
    [host("{ path: /a, scope: a }", "{ path: /a/, access: public }"), "r.yaml:5: "],
    ["a: &a [x, x]\nhosts: *a", "aliases"],
    ["x".repeat(2 ** 20 + 1), "too large"],
  ])("%j: %s", (text, expected) => {
    const faults = routes(text);
    expect(faults.join("\n")).toContain(expected);
    for (const fault of faults) expect(fault).toMatch(/^r\.yaml(?::\d+)?: ./);
  });

  test("two routes that say the same are no fault", () => {
    expect(routes(host("{ path: /a, scope: a }", "{ path: /a/, scope: a }"))).toEqual([]);
  });
});

describe("faults of an upstreams file", () => {
  const one = (entry: string): string => `upstreams:\n  billing: ${entry}`;
  test.each([
    ["upstreams: { Billing: { url: https://b.example, credential: f } }", "u.yaml:1: Billing"],
    [one("{ url: b.example, credential: f }"), "u.yaml:2: url"],
    [one("{ url: 'https://b.example/?q', credential: f }"), "u.yaml:2: url: no query"],
    [one("{ url: 'https://u:p@b.example', credential: f }"), "u.yaml:2: url: no query"],
    [
      one("{ url: http://b.example, credential: f }"),
      "u.yaml:2: url: a token would travel in the clear",
    ],
    [one("{ url: https://b.example }"), "u.yaml:2: credential"],
    [one("{ url: https://b.example, credential: f, method: magic }"), "u.yaml:2: method"],
    [
      one("{ url: https://b.example, credential: f, method: private_key_jwt }"),
      "u.yaml:2: private_key_jwt",
    ],
    [one("{ url: https://b.example, credential: f, client_id: a }"), "u.yaml:2: private_key_jwt"],
    [one("{ url: https://b.example, credential: f, scope: ['a b'] }"), "u.yaml:2: "],
    [
      one("{ url: https://b.example, credential: f, timeout_seconds: 0 }"),
      "u.yaml:2: timeout_seconds",
    ],
  ])("%j: %s", (text, expected) => {
    expect(upstreams(text).join("\n")).toContain(expected);
  });

  test.each([
    "https://b.example",
    "http://127.0.0.1:8080/base",
    "http://localhost",
    "http://[::1]:1",
  ])("none: %s", (url) => {
    expect(upstreams(one(`{ url: '${url}', credential: f }`))).toEqual([]);
  });
});

test.each(SCHEMAS)("%s is the schema that files are read by", async (name, schema) => {
  const file = new URL(`../${name}`, import.meta.url);
  const text = `${JSON.stringify(z.toJSONSchema(schema, { io: "input" }), null, 2)}\n`;
  if (process.env["DAYKEY_WRITE_SCHEMAS"] === "1") await writeFile(file, text);
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual(JSON.parse(text));
});
