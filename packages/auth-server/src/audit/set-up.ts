/** Records what a set-up does: no admin asked for it. */
import type { AuditStore, HeadSealer } from "./audit-store.ts";
import type { AuditEvent } from "./events.ts";

/** Brackets are in no client id, so no client can be taken for it. */
const SET_UP_ACTOR = "(set-up)";

type Transaction = Parameters<AuditStore["append"]>[0];

/** The server's keys, as far as they tell what sealed them. */
interface SealedKeys {
  all(): Promise<readonly { sealed: Buffer }[]>;
}

/**
 * A damaged log stops no set-up: else whoever damaged it could lock the resource-server out at the end of
 * its secret. The row goes past the damage, and `verify` tells of it.
 */
export async function createSetUpRecorder({
  audit,
  keys,
  sealer,
}: {
  audit: Pick<AuditStore, "append">;
  keys: SealedKeys;
  sealer: HeadSealer;
}): Promise<(tx: Transaction, event: Omit<AuditEvent, "actor">) => Promise<void>> {
  const recovery = { ownsHead: await ownsHead(keys, sealer) };
  return async (tx, event) => audit.append(tx, { actor: SET_UP_ACTOR, ...event }, recovery);
}

/** Whether all else in the database is sealed under this master key: see `Recovery`. */
export async function ownsHead(keys: SealedKeys, sealer: HeadSealer): Promise<boolean> {
  return (await keys.all()).every(({ sealed }) => sealer.knows(sealed));
}
