/** What a handler hands to a store to have its change recorded in the same transaction (A6). */
import type { AuditStore } from "../audit/audit-store.ts";
import type { AuditEvent, AuditFacts } from "../audit/events.ts";

type Transaction = Parameters<AuditStore["append"]>[0];

/** Writes the audit row; `before` and `after` hold no secret and no verifier. */
export type RecordChange = (
  tx: Transaction,
  before: AuditFacts,
  after: AuditFacts,
) => Promise<void>;

export type Recorder = (event: Pick<AuditEvent, "actor" | "action" | "target">) => RecordChange;

export function createRecorder(audit: AuditStore): Recorder {
  return (event) => async (tx, before, after) => audit.append(tx, { ...event, before, after });
}
