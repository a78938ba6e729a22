import fc from "fast-check";
import { expect, test } from "vitest";
import { parseChallenges } from "./www-authenticate.ts";

const read = (value: string): unknown[] =>
  parseChallenges(value).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

test.each<[string, unknown[]]>([
  ["", []],
  ["Bearer", [["bearer", {}]]],
  ["BEARER  error=invalid_token", [["bearer", { error: "invalid_token" }]]],
  ['Bearer Error = "invalid_token"', [["bearer", { error: "invalid_token" }]]],
  [
    'Bearer realm="https://api.example.com", error="invalid_token", resource_metadata="https://a/b"',
    [
      [
        "bearer",
        {
          realm: "https://api.example.com",
          error: "invalid_token",
          resource_metadata: "https://a/b",
        },
      ],
    ],
  ],
  [
    'Basic realm="a, Bearer error=\\"invalid_token\\"", Bearer error="x"',
    [
      ["basic", { realm: 'a, Bearer error="invalid_token"' }],
      ["bearer", { error: "x" }],
    ],
  ],
  [
    "Negotiate, Basic abc==, Bearer ,error=x,,",
    [
      ["negotiate", {}],
      ["basic", {}],
      ["bearer", { error: "x" }],
    ],
  ],
  [", ,Bearer\trealm=x", []],
])("%s", (value, expected) => {
  expect(read(value)).toEqual(expected);
});

test.each([
  'Bearer error="invalid_token',
  'Bearer error="invalid_token", error="x"',
  'Bearer error="invalid_token" realm="x"',
  "Bearer error=, realm=x",
  'Bearer "invalid_token"',
  "Bearer a b",
  'Bearer error="invalid_token", =x',
  '"Bearer" error=x',
  "Bearer error=invalid token",
])("what breaks the grammar anywhere holds no challenge: %s", (value) => {
  expect(read(value)).toEqual([]);
});

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
const text = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCharCode(c)),
});
const quote = (value: string): string => `"${value.replaceAll(/["\\]/g, "\\$&")}"`;

test("what is written by the grammar is read again", () => {
  const parameters = fc.uniqueArray(fc.tuple(token, text), {
    minLength: 1,
    maxLength: 4,
    selector: ([name]) => name.toLowerCase(),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(token, parameters), { maxLength: 3 }), (challenges) => {
      const value = challenges
        .map(
          ([scheme, all]) =>
            `${scheme} ${all.map(([name, v]) => `${name}=${quote(v)}`).join(", ")}`,
        )
        .join(", ");
      const expected = challenges.map(([scheme, all]) => [
        scheme.toLowerCase(),
        all.map(([name, v]) => [name.toLowerCase(), v]),
      ]);
      const found = parseChallenges(value).map(({ scheme, parameters: p }) => [scheme, [...p]]);
      expect(found).toEqual(expected);
    }),
  );
});

test("anything at all is read without a throw, in linear time", () => {
  fc.assert(fc.property(fc.string(), (value) => Array.isArray(parseChallenges(value))));
  for (const piece of ["a ", 'a="', "a,", "\\", " ", "a=a "]) {
    expect(parseChallenges(`Bearer ${piece.repeat(100_000)}"`)).toEqual([]);
  }
});
