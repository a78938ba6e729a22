/**
 * The refresh table of docs/protocol.md §2 as a pure rule: what presenting number p to a grant means,
 * read from the grant's row before and after the one statement of `grants-store.ts`.
 */

/** How long after a rotation its predecessor is taken for a retry, in seconds. */
export const RETRY_WINDOW_SECONDS = 60;

export type RevokeReason = "late_retry" | "reuse" | "revoked";

export interface GrantState {
  /** The number the current refresh token carries. */
  seq: number;
  /** Epoch seconds; undefined for a grant revoked before its first use. */
  rotatedAt: number | undefined;
  revokeReason: RevokeReason | undefined;
}

export type RefreshOutcome =
  /** The presented number was current: `seq` is its successor. */
  | { kind: "rotated"; seq: number; rotatedAt: number }
  /** The client lost our answer, or raced itself: the same successor again. */
  | { kind: "retried"; seq: number; rotatedAt: number }
  /** This presentation revoked the grant. */
  | { kind: "late_retry" | "reuse" }
  /** The grant was revoked before. */
  | { kind: "revoked" }
  /** A number never issued by this database: it was restored from a backup. */
  | { kind: "unknown_number" };

export function refreshOutcome(
  presented: number,
  before: GrantState | undefined,
  after: GrantState | undefined,
): RefreshOutcome {
  if (!after || presented > (before?.seq ?? 0)) return { kind: "unknown_number" };
  if (before?.revokeReason) return { kind: "revoked" };
  if (after.revokeReason === "late_retry" || after.revokeReason === "reuse") {
    return { kind: after.revokeReason };
  }
  const kind = presented === (before?.seq ?? 0) ? "rotated" : "retried";
  return { kind, seq: after.seq, rotatedAt: after.rotatedAt ?? 0 };
}
