/**
 * A client ends grants of its own: it revokes them, or uses a refresh token again. Each end is news for
 * every resource server, so a client that has ended too many loses all its tokens instead, which is one
 * entry (docs/protocol.md §3). No end is refused.
 */
import type { Log } from "@daykey/service/observe/log";

/** Call it after a client ended a grant of its own. @throws {DatabaseUnavailable} */
export type AfterOwnEnd = (clientId: string) => Promise<void>;

export function createAfterOwnEnd({
  revocations,
  limit,
  log,
}: {
  revocations: { foldIntoClient(clientId: string, limit: number): Promise<boolean> };
  /** Live entries that one client may cause. */
  limit: number;
  log: Log;
}): AfterOwnEnd {
  return async (clientId) => {
    if (!(await revocations.foldIntoClient(clientId, limit))) return;
    log.warn({ event: "client_tokens_ended", client: clientId }, "security event");
  };
}
