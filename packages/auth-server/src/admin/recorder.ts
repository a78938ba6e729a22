/** What a handler hands to a store to have its change recorded in the same transaction (A6). */
import type { AccessTokenClaims } from "@daykey/common/access-token";
import type { AuditStore } from "../audit/audit-store.ts";
import type { AuditEvent, AuditFacts } from "../audit/events.ts";

type Transaction = Parameters<AuditStore["append"]>[0];

/** Writes the audit row; `before` and `after` hold no secret and no verifier. */
export type RecordChange = (
  tx: Transaction,
  before: AuditFacts,
  after: AuditFacts,
) => Promise<void>;

/** Who asks for a change. */
export interface Actor {
  /** The client whose token was presented. */
  clientId: string;
  /** What it may, as of now. */
  rights: Readonly<AccessTokenClaims>;
  /** Adds to the request's log line: what is changed, and of what. */
  note(fields: { change: AuditEvent["action"]; target: string }): void;
}

export type Recorder = (
  event: Pick<AuditEvent, "action" | "target"> & { actor: Actor },
) => RecordChange;

export function createRecorder(audit: AuditStore): Recorder {
  return ({ actor, action, target }) =>
    async (tx, before, after) => {
      actor.note({ change: action, target });
      await audit.append(tx, { actor: actor.clientId, action, target, before, after });
    };
}
