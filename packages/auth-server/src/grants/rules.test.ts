/** The pure half of the table of docs/protocol.md §2: what the row before and after means. */
import { expect, test } from "vitest";
import { type GrantState, type RefreshOutcome, refreshOutcome } from "./rules.ts";

const live = (seq: number, rotatedAt: number | undefined = 1000): GrantState => ({
  seq,
  rotatedAt,
  revokeReason: undefined,
});

const ROWS: [
  title: string,
  presented: number,
  before: GrantState | undefined,
  after: GrantState | undefined,
  outcome: RefreshOutcome,
][] = [
  ["p = 0 and no row", 0, undefined, live(1), { kind: "rotated", seq: 1, rotatedAt: 1000 }],
  ["p = n", 4, live(4, 900), live(5), { kind: "rotated", seq: 5, rotatedAt: 1000 }],
  ["p = n − 1 in time", 3, live(4), live(4), { kind: "retried", seq: 4, rotatedAt: 1000 }],
  [
    "p = n − 1, late",
    3,
    live(4),
    { ...live(4), revokeReason: "late_retry" },
    { kind: "late_retry" },
  ],
  ["p < n − 1", 1, live(4), { ...live(4), revokeReason: "reuse" }, { kind: "reuse" }],
  ["p > n", 5, live(4), live(4), { kind: "unknown_number" }],
  ["p > 0 and no row", 1, undefined, undefined, { kind: "unknown_number" }],
  [
    "revoked before its first use",
    0,
    { ...live(0), rotatedAt: undefined, revokeReason: "revoked" },
    { ...live(0), rotatedAt: undefined, revokeReason: "revoked" },
    { kind: "revoked" },
  ],
  [
    "revoked for reuse before",
    1,
    { ...live(4), revokeReason: "reuse" },
    { ...live(4), revokeReason: "reuse" },
    { kind: "revoked" },
  ],
];

for (const [title, presented, before, after, outcome] of ROWS) {
  test(`${title}: ${outcome.kind}`, () => {
    expect(refreshOutcome(presented, before, after)).toEqual(outcome);
  });
}
