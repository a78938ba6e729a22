/** What every store that raises a client's epoch shares. */
import type { Queryable } from "@daykey/service/database/database";
import { writeEntries } from "../changes/revocation-entries-store.ts";

/**
 * The news that tokens of a client with an epoch below its present one are dead, in the transaction that
 * raised it (docs/protocol.md §3).
 */
export async function tellClientEnded(
  tx: Queryable,
  { clientId, newsSeconds }: { clientId: string; newsSeconds: number },
): Promise<void> {
  await tx.query({
    text: writeEntries({
      kind: "client",
      subject: "client_id",
      epoch: "greatest(clients.epoch, epoch_floor)",
      expiresAt: "now() + make_interval(secs => $2)",
      from: "from daykey.clients, daykey.change_counter where client_id = $1",
      repeated: "raise",
    }),
    values: [clientId, newsSeconds],
  });
}
