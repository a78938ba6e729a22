/** `/audit`: who changed what, and whether the log is whole. It cannot be changed here or anywhere. */
import { z } from "zod";
import { AUDIT_ACTIONS } from "../audit/events.ts";
import type { AuditStore } from "../audit/audit-store.ts";
import { decodeCursor, encodeCursor, invalidCursor } from "./cursor.ts";
import { PARAMETERS, route, type Route } from "./route.ts";
import {
  DEFAULT_PAGE,
  instant,
  instantParameter,
  pageOf,
  pageQuery,
  text,
} from "./schema-parts.ts";

const tag = "audit";

const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** As the API showed it; null where there was or is nothing. */
const facts = z.record(z.string(), z.unknown()).nullable();

export const auditEntry = z.strictObject({
  seq: z.int().min(1),
  at: instant,
  /** The client whose token was presented; in brackets where none was. */
  actor: z.string(),
  action: z.enum(AUDIT_ACTIONS),
  target: z.string(),
  detail: z.strictObject({
    before: facts,
    after: facts,
    /** Present when an end of access was recorded on a damaged log: how, and the entry its hash follows. */
    damage: z.enum(["unknown", "head"]).optional(),
    follows: z.int().min(0).optional(),
  }),
  /** SHA-256 over the hash of the entry before and the canonical JSON (RFC 8785) of this one. */
  hash: digest,
});

export const auditPage = pageOf(auditEntry);

const auditQuery = z.strictObject({
  ...pageQuery.shape,
  actor: text(66).optional(),
  action: z.enum(AUDIT_ACTIONS).optional(),
  /** The client that the target is, or to which the secret or key belongs. */
  client_id: PARAMETERS.client_id.optional(),
  /** From here on. */
  since: instantParameter.optional(),
  /** Before here. */
  until: instantParameter.optional(),
});

export const auditVerdict = z.discriminatedUnion("valid", [
  z.strictObject({
    valid: z.literal(true),
    rows: z.int().min(0),
    /** The newest entry's hash; kept elsewhere, it shows later that nothing before it was altered. */
    head: digest,
  }),
  z.strictObject({
    valid: z.literal(false),
    first_bad_seq: z.int().min(0),
    reason: z.enum(["changed", "missing", "unknown", "rewritten", "head"]),
  }),
]);

export function createAuditRoutes(audit: AuditStore): Route[] {
  return [
    route({
      method: "get",
      path: "/audit",
      operationId: "listAudit",
      tag,
      summary: "A page of the audit log, newest first",
      query: auditQuery,
      status: 200,
      answer: auditPage,
      async handle({ query: { limit = DEFAULT_PAGE, cursor, client_id: clientId, ...filter } }) {
        const { entries, next } = await audit.list({
          limit,
          after: cursor === undefined ? undefined : placeOf(cursor),
          filter: { ...filter, clientId },
        });
        const next_cursor = next === undefined ? null : encodeCursor(["seq", next]);
        return { body: { items: entries, next_cursor } };
      },
    }),

    route({
      method: "get",
      path: "/audit/verify",
      operationId: "verifyAudit",
      tag,
      summary: "Whether every entry is as it was written",
      status: 200,
      answer: auditVerdict,
      async handle() {
        const verdict = await audit.verify();
        if (verdict.valid) return { body: verdict };
        const { firstBadSeq: first_bad_seq, reason } = verdict;
        return { body: { valid: false, first_bad_seq, reason } };
      },
    }),
  ];
}

const LARGEST_BIGINT = 2n ** 63n - 1n;

/** Digits, as another's entry may have a number that no double holds. @throws {ProblemError} 400 */
function placeOf(cursor: string): string {
  const [digits = ""] = decodeCursor(cursor, /^seq ([1-9]\d{0,18})$/);
  if (BigInt(digits) > LARGEST_BIGINT) throw invalidCursor();
  return digits;
}
