/** Rules are found by what a token says: all that fit, and few others. */
import fc from "fast-check";
import { readJsonObject } from "@daykey/common/json-numbers";
import { expect, test } from "vitest";
import { type Condition, compileRule, type RuleRegistration, unmetOf } from "./rule.ts";
import { createRuleIndex, mostAlike } from "./rule-index.ts";

const ruleOf = (name: string, conditions: readonly Condition[]) =>
  compileRule<RuleRegistration>({
    name,
    issuer: "i",
    clientId: "c",
    state: "enabled",
    conditions,
    scopes: undefined,
    resources: undefined,
    accessTokenSeconds: undefined,
    ext: undefined,
  });

const texts = fc.string({ unit: fc.constantFrom("a", "b", "/", ":"), maxLength: 4 });
const globs = fc.string({ unit: fc.constantFrom("a", "b", "/", "*"), minLength: 1, maxLength: 5 });
const conditions = fc.array(
  fc.oneof(
    fc.record({
      claim: fc.constantFrom("x", "y"),
      values: fc.array(texts, { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ claim: fc.constantFrom("x", "y"), glob: globs }),
  ),
  { minLength: 1, maxLength: 3 },
);
const claims = fc.record({ x: fc.oneof(texts, fc.array(texts, { maxLength: 3 })), y: texts });

test("X11: whatever rules there are, each that fits a token is found", () => {
  fc.assert(
    fc.property(fc.array(conditions, { maxLength: 12 }), claims, (all, said) => {
      const rules = all.map((each, n) => ruleOf(`r${n}`, each));
      const token = readJsonObject(JSON.stringify(said)) ?? {};
      const fitting = rules.filter((rule) => unmetOf(rule, token).length === 0);
      const found = createRuleIndex(rules)(token);
      expect(found).toEqual(expect.arrayContaining(fitting));
      // An array can find more, as each of its texts is looked up.
      const bound = typeof said.x === "string" ? mostAlike(rules) : rules.length;
      expect(found.length).toBeLessThanOrEqual(bound);
    }),
    { numRuns: 2000 },
  );
});

const thousand = (of: (n: number) => Condition[]) =>
  Array.from({ length: 1000 }, (_, n) => ruleOf(`r${n}`, of(n)));

test.each<[string, (n: number) => Condition[], found: number, alike: number]>([
  ["a value", (n) => [{ claim: "x", values: [`${n}`] }], 1, 1],
  [
    "a glob, beside a value that all have",
    (n) => [
      { claim: "y", values: ["prod"] },
      { claim: "x", glob: `${n}*` },
    ],
    // 7, 74 and 741.
    3,
    3,
  ],
  [
    "a glob that begins alike, and nothing else",
    (n) => [{ claim: "x", glob: `7*${n}` }],
    1000,
    1000,
  ],
  ["a glob that begins with a star", (n) => [{ claim: "x", glob: `*${n}` }], 1000, 1000],
])(
  "X11: of 1,000 rules, told apart by %s, a token finds few or they are too many",
  (_by, of, found, alike) => {
    const rules = thousand(of);
    const token = readJsonObject('{"x":"741","y":"prod"}') ?? {};
    expect([createRuleIndex(rules)(token).length, mostAlike(rules)]).toEqual([found, alike]);
  },
);
