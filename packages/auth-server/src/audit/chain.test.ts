/** The hash chain's rules, by a second writing of them. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson, type ChainedRow, GENESIS, hashOf } from "./chain.ts";
import type { AuditFact } from "./events.ts";

const row: ChainedRow = {
  seq: 1,
  at: "2026-11-21T12:00:00.123456Z",
  actor: "admin",
  action: "client.create",
  target: "billing",
  detail: { before: null, after: { name: "é", n: 1, list: ["b", "a"] } },
};

test("A6: a row's hash is SHA-256 over the hash before it and its RFC 8785 JSON", () => {
  const text =
    '{"action":"client.create","actor":"admin","at":"2026-11-21T12:00:00.123456Z",' +
    '"detail":{"after":{"list":["b","a"],"n":1,"name":"é"},"before":null},"seq":1,"target":"billing"}';
  expect(canonicalJson({ ...row })).toBe(text);
  expect(hashOf(GENESIS, row)).toEqual(
    createHash("sha256").update(Buffer.alloc(32)).update(text).digest(),
  );
});

test("the hash depends on every member, and on the hash before", () => {
  const others: ChainedRow[] = [
    { ...row, seq: 2 },
    { ...row, at: "2026-11-21T12:00:00.123457Z" },
    { ...row, actor: "admim" },
    { ...row, action: "client.change" },
    { ...row, target: "" },
    { ...row, detail: { before: null, after: null } },
  ];
  const hashes = [
    hashOf(GENESIS, row),
    hashOf(Buffer.alloc(32, 1), row),
    ...others.map((other) => hashOf(GENESIS, other)),
  ];
  expect(new Set(hashes.map((hash) => hash.toString("hex"))).size).toBe(hashes.length);
});

describe("canonical JSON", () => {
  const fact = fc.letrec<{ fact: AuditFact }>((tie) => ({
    fact: fc.oneof(
      { maxDepth: 4 },
      fc.string({ unit: "binary" }),
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie("fact"), { maxLength: 4 }),
      fc.dictionary(fc.string({ unit: "binary" }), tie("fact"), {
        maxKeys: 4,
        noNullPrototype: true,
      }),
    ),
  })).fact;

  test("says the same as JSON, in one spelling whatever the order of members", () => {
    fc.assert(
      fc.property(fact, (value) => {
        const text = canonicalJson(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(reversed(value))).toBe(text);
      }),
    );
  });

  function reversed(value: AuditFact): AuditFact {
    if (Array.isArray(value)) return value.map(reversed);
    if (typeof value !== "object" || value === null) return value;
    const members = Object.entries(value as Record<string, AuditFact>);
    return Object.fromEntries(members.toReversed().map(([name, v]) => [name, reversed(v)]));
  }
});
