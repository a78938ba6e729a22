import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, expect, expectTypeOf, test } from "vitest";

import {
  choice,
  ConfigError,
  type Definitions,
  describeSettings,
  flag,
  integer,
  list,
  readSettings,
  seconds,
  secret,
  text,
  url,
} from "./config.ts";

const directory = mkdtempSync(join(tmpdir(), "daykey-config-"));
afterAll(() => rmSync(directory, { recursive: true }));

const DEFINITIONS = {
  NAME: text({ description: "A name", optional: true, pattern: /^[a-z]+$/ }),
  PORT: integer({ description: "A port", default: 4000, min: 0, max: 65_535 }),
  LIFE: seconds({ description: "A life", default: 600, min: 1 }),
  MODE: choice(["fast", "safe"], { description: "A mode", default: "safe" }),
  STRICT: flag({ description: "A switch", default: false }),
  ISSUER: url({ description: "An issuer" }),
  PROXIES: list({ description: "Some proxies", default: [] }),
  KEY: secret({ description: "A key", optional: true }),
};

const faultsOf = (definitions: Definitions, env: Record<string, string | undefined>) => {
  try {
    readSettings(definitions, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
};

function file(content: string | Buffer): string {
  const path = join(directory, crypto.randomUUID());
  writeFileSync(path, content);
  return path;
}

test("settings are read into their types, defaults included", () => {
  const env = { ISSUER: "https://auth.example", STRICT: "true", PROXIES: "10.0.0.1, ,::1", X: "y" };
  const settings = readSettings(DEFINITIONS, env);
  expect(settings).toEqual({
    NAME: undefined,
    PORT: 4000,
    LIFE: 600,
    MODE: "safe",
    STRICT: true,
    ISSUER: "https://auth.example",
    PROXIES: ["10.0.0.1", "::1"],
    KEY: undefined,
  });
  expectTypeOf(settings).toEqualTypeOf<{
    readonly NAME: string | undefined;
    readonly PORT: number;
    readonly LIFE: number;
    readonly MODE: "fast" | "safe";
    readonly STRICT: boolean;
    readonly ISSUER: string;
    readonly PROXIES: readonly string[];
    readonly KEY: string | undefined;
  }>();
});

test("all faults are told together, by name, and no value with them", () => {
  const env = { NAME: "canary1", PORT: "canary2", MODE: "canary3", STRICT: "canary4" };
  expect(() => readSettings(DEFINITIONS, env)).toThrow(
    [
      "The settings cannot be used:",
      "  NAME must be of the form ^[a-z]+$",
      "  PORT must be a whole number from 0 to 65535",
      "  MODE must be one of fast, safe",
      "  STRICT must be true or false",
      "  ISSUER is required: An issuer",
    ].join("\n"),
  );
});

test("an empty variable counts as unset", () => {
  expect(faultsOf(DEFINITIONS, { ISSUER: "" })).toEqual(["ISSUER is required: An issuer"]);
  const env = { ISSUER: "https://a.example", PORT: "", KEY: "", KEY_FILE: "" };
  expect(readSettings(DEFINITIONS, env)).toMatchObject({ PORT: 4000, KEY: undefined });
});

test.each([
  "1.5",
  "1e3",
  "007",
  "-0",
  "0x10",
  " 1",
  "-1",
  "65536",
  "99999999999999999999",
  "١",
  "Infinity",
])("%j is no whole number from 0 to 65535", (PORT) => {
  expect(faultsOf({ PORT: DEFINITIONS.PORT }, { PORT })).toHaveLength(1);
});

test.each([
  "auth.example",
  "ftp://auth.example",
  "https://auth.example/",
  "https://auth.example/path",
  "https://auth.example?q",
  "https://auth.example#f",
  "https://user:pass@auth.example",
  "https://AUTH.example",
  "https://auth.example:443",
  "https:auth.example",
])("%j is no URL in normal form", (ISSUER) => {
  expect(faultsOf({ ISSUER: DEFINITIONS.ISSUER }, { ISSUER })).toHaveLength(1);
});

test("a URL may have a path where that is allowed, and still nothing else", () => {
  const definitions = { FEED: url({ description: "A feed", path: true }) };
  for (const FEED of ["http://localhost:4000", "https://a.example/b/c", "http://[::1]:1/x"]) {
    expect(readSettings(definitions, { FEED })).toEqual({ FEED });
  }
  for (const FEED of ["https://a.example/", "https://a.example/b?c", "https://a.example/b/../c"]) {
    expect(faultsOf(definitions, { FEED })).toHaveLength(1);
  }
});

test("each item of a list must pass", () => {
  const item = (value: string) => value.startsWith("a");
  const definitions = { ITEMS: list({ description: "Items", item, form: "items with an a" }) };
  expect(readSettings(definitions, { ITEMS: "a1,a2" })).toEqual({ ITEMS: ["a1", "a2"] });
  expect(faultsOf(definitions, { ITEMS: "a1,b2" })).toEqual(["ITEMS must be items with an a"]);
});

test("names of an object's prototype are no values of a flag", () => {
  for (const STRICT of ["constructor", "__proto__", "toString"]) {
    expect(faultsOf({ STRICT: DEFINITIONS.STRICT }, { STRICT })).toHaveLength(1);
  }
});

test.each([
  ["s3cret", "s3cret"],
  ["s3cret\n", "s3cret"],
  ["s3cret\r\n", "s3cret"],
  ["s3cret\n\n", "s3cret\n"],
  [" s3cret ", " s3cret "],
])("a secret's file %j gives %j", (content, value) => {
  expect(readSettings({ KEY: DEFINITIONS.KEY }, { KEY_FILE: file(content) })).toEqual({
    KEY: value,
  });
});

test("a secret that is set twice, cannot be read or is empty is a fault of its name", () => {
  const read = (env: Record<string, string>) => faultsOf({ KEY: DEFINITIONS.KEY }, env);
  expect(read({ KEY: "canary", KEY_FILE: file("canary") })).toEqual([
    "KEY and KEY_FILE are both set; set one of them",
  ]);
  expect(read({ KEY_FILE: "/nonexistent/canary" })).toEqual([
    "KEY_FILE names a file that cannot be read (ENOENT)",
  ]);
  expect(read({ KEY_FILE: file("\n") })).toEqual(["KEY_FILE names an empty file"]);
});

test("--help is a table of the same definitions", () => {
  expect(describeSettings(DEFINITIONS)).toBe(
    `  NAME        (none)      A name (of the form ^[a-z]+$)
  PORT        4000        A port (a whole number from 0 to 65535)
  LIFE        600         A life (a whole number of seconds, at least 1)
  MODE        safe        A mode (one of fast, safe)
  STRICT      false       A switch (true or false)
  ISSUER      (required)  An issuer (an absolute http or https URL in normal form, without path, query, fragment or credentials)
  PROXIES     (empty)     Some proxies (items separated by commas)
  KEY[_FILE]  (none)      A key`,
  );
});
