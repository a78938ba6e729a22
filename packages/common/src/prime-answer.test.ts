import { describe, expect, test } from "vitest";

import { verifyPrimeAnswer } from "./prime-answer.ts";

const PRIME = 18_446_744_073_709_551_557n;
const COMPOSITE = 172_983_479_832_623_897_492_387_592_384_682_937_659_382_477n;
const STEPS = [
  `{"prime":${PRIME},"base":2,"factors":[2,11,137,547,5594472617641]}`,
  `{"prime":5594472617641,"base":13,"factors":[2,3,5,1427,2131,15331]}`,
].join();
const CERTIFIED = `{"number":${PRIME},"prime":true,"certificate":{"type":"pratt","steps":[${STEPS}]}}`;

const asStrings = (json: string): unknown => JSON.parse(json.replaceAll(/-?\b\d+\b/g, '"$&"'));

function composite(evidence: string): string {
  return `{"number":${COMPOSITE},"prime":false${evidence}}`;
}

describe("what proves its verdict", () => {
  test.each<[string, bigint, string, object]>([
    [
      "a certificate",
      PRIME,
      CERTIFIED,
      { prime: true, evidence: { kind: "certificate", steps: 2 } },
    ],
    [
      "a factor",
      COMPOSITE,
      composite(',"witness":{"factor":9020941}'),
      { prime: false, evidence: { kind: "factor", factor: 9_020_941n } },
    ],
    [
      "a base",
      COMPOSITE,
      composite(',"witness":{"base":2}'),
      { prime: false, evidence: { kind: "witness", base: 2n } },
    ],
    [
      "nothing, for a number below 2",
      -7n,
      '{"number":-7,"prime":false}',
      { prime: false, evidence: { kind: "definition" } },
    ],
    [
      "nothing, for a small prime",
      97n,
      '{"number":97,"prime":true}',
      { prime: true, evidence: { kind: "trial-division" } },
    ],
  ])("%s", (_, number, json, expected) => {
    expect(verifyPrimeAnswer(number, json)).toEqual({ verified: true, ...expected });
    expect(verifyPrimeAnswer(number, asStrings(json))).toEqual({ verified: true, ...expected });
  });
});

test.each([
  ["a composite without a witness", COMPOSITE, composite("")],
  ["a prime without a certificate", PRIME, `{"number":${PRIME},"prime":true}`],
])("%s is unproven", (_, number, json) => {
  expect(verifyPrimeAnswer(number, json)).toEqual({ verified: false, reason: "unproven" });
});

const lied = (of: string, by: string): [bigint, string] => [PRIME, CERTIFIED.replace(of, by)];
const wrong: [bigint, unknown][] = [
  ...[undefined, null, 7, "", "prime", "{", "[]", "{}", [], {}, '{"prime":true}', "\u0000"].map(
    (answer): [bigint, unknown] => [PRIME, answer],
  ),
  // A verdict that the number itself contradicts.
  [-7n, '{"number":-7,"prime":true}'],
  [1n, '{"number":1,"prime":true}'],
  [91n, '{"number":91,"prime":true}'],
  [97n, '{"number":97,"prime":false,"witness":{"factor":7}}'],
  [97n, '{"number":97,"prime":"true"}'],
  // Another number's answer, and one that a double rounded.
  [PRIME - 2n, CERTIFIED],
  [PRIME, JSON.parse(CERTIFIED)],
  [COMPOSITE, composite(',"witness":{"factor":9020943}')],
  [COMPOSITE, composite(`,"witness":{"factor":${COMPOSITE}}`)],
  [COMPOSITE, composite(',"witness":{"factor":9020941,"base":2}')],
  [COMPOSITE, composite(',"witness":{"factor":9020941.5}')],
  [COMPOSITE, composite(',"witness":{"factor":"9020941 "}')],
  [COMPOSITE, composite(',"witness":{"base":1}')],
  [COMPOSITE, composite(',"witness":{}')],
  [COMPOSITE, composite(',"witness":[9020941]')],
  [COMPOSITE, composite(',"witness":null')],
  [PRIME, `{"number":${PRIME},"prime":false,"witness":{"base":2}}`],
  lied('"pratt"', '"pocklington"'),
  lied('"base":2', '"base":1'),
  lied('"base":2', '"base":"two"'),
  lied("547,", ""),
  lied("[2,11", "[2,[11]"),
  lied('"factors":[2,11', '"factors":{},"f":[2,11'),
  lied('"steps":[', '"steps":["x",'),
  lied(`[${STEPS}]`, "[]"),
  lied(`[${STEPS}]`, "null"),
  [PRIME, `{"number":${PRIME},"prime":true,"certificate":null}`],
];
test.each(wrong)("%i is not answered by %j", (number, answer) => {
  expect(verifyPrimeAnswer(number, answer)).toEqual({ verified: false, reason: "false" });
});

test("what is huge ends in false", () => {
  const huge = 1n << 100_000n;
  const digits = "9".repeat(1_000_000);
  const many = `[${`{"prime":7,"base":3,"factors":[2,3]},`.repeat(20_000)}7]`;
  for (const [number, answer] of [
    [huge, { number: huge, prime: true, certificate: {} }],
    [PRIME, { number: huge, prime: true }],
    [PRIME, `{"number":${digits},"prime":true}`],
    [PRIME, `{"number":"${digits}","prime":true}`],
    [PRIME, CERTIFIED.replace(`[${STEPS}]`, many)],
    [PRIME, CERTIFIED.replace("[2,11", `[${"2,".repeat(100_000)}11`)],
    [PRIME, CERTIFIED.replace("[2,11", `${"[".repeat(10_000)}2,11`)],
  ] as const) {
    expect(verifyPrimeAnswer(number, answer)).toEqual({ verified: false, reason: "false" });
  }
});
