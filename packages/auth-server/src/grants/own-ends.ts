/**
 * A client ends grants of its own: it revokes them, or uses a refresh token again. Each end is news for
 * every resource server, so a client that has ended too many loses all its tokens instead, which is one
 * entry (docs/protocol.md §3). No end is refused.
 */
import type { Log } from "@daykey/service/observe/log";

/** Call it after a client ended a grant of its own. @throws {DatabaseUnavailable} */
export type AfterOwnEnd = (clientId: string) => Promise<void>;

export interface OwnEnding<Tx> {
  revocations: {
    foldIntoClient(
      clientId: string,
      limit: number,
      record: (tx: Tx, epoch: number) => Promise<void>,
    ): Promise<boolean>;
  };
  /** Writes it into the audit log. */
  recordEnd(tx: Tx, end: { clientId: string; epoch: number; limit: number }): Promise<void>;
  /** Told of each client whose tokens were ended. */
  countEnded: () => void;
}

export function createAfterOwnEnd<Tx>({
  revocations,
  recordEnd,
  countEnded,
  limit,
  log,
}: OwnEnding<Tx> & {
  /** Live entries that one client may cause. */
  limit: number;
  log: Log;
}): AfterOwnEnd {
  return async (clientId) => {
    const record = (tx: Tx, epoch: number) => recordEnd(tx, { clientId, epoch, limit });
    if (!(await revocations.foldIntoClient(clientId, limit, record))) return;
    countEnded();
    log.warn({ event: "client_tokens_ended", client: clientId }, "security event");
  };
}
