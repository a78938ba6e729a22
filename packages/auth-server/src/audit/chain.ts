/**
 * The hash chain of the audit log, as pure rules: each row's hash covers the row and the hash of the
 * row before it, so no row can be changed, left out or moved without all later hashes being others.
 */
import { createHash } from "node:crypto";
import type { AuditFact } from "./events.ts";

/** Everything of a row but its hash. */
export interface ChainedRow {
  /** From 1, without gaps. */
  seq: number;
  /** UTC with microseconds, as in `2026-11-21T12:00:00.123456Z`. */
  at: string;
  actor: string;
  action: string;
  target: string;
  detail: AuditFact;
}

/** What stands for the hash before the first row. */
export const GENESIS = Buffer.alloc(32);

/** SHA-256(previous hash ‖ canonical JSON of the row). */
export function hashOf(
  previous: Buffer,
  { seq, at, actor, action, target, detail }: ChainedRow,
): Buffer {
  const row = { seq, at, actor, action, target, detail };
  return createHash("sha256").update(previous).update(canonicalJson(row)).digest();
}

/** RFC 8785: members in the order of their names' UTF-16 code units, no white space. */
export function canonicalJson(value: AuditFact): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value as Record<string, AuditFact>)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
  return `{${members.join(",")}}`;
}
