/** What every store that raises a client's epoch shares. */
import type { Queryable } from "@daykey/service/database/database";

/**
 * The news that tokens of a client with an epoch below its present one are dead, in the transaction that
 * raised it (docs/protocol.md §3).
 */
export async function tellClientEnded(
  tx: Queryable,
  { clientId, newsSeconds }: { clientId: string; newsSeconds: number },
): Promise<void> {
  await tx.query({
    text: `insert into daykey.revocations as r (kind, subject, epoch, expires_at)
           select 'client', client_id, greatest(epoch, epoch_floor),
             now() + make_interval(secs => $2)
           from daykey.clients, daykey.change_counter where client_id = $1
           on conflict (kind, subject) do update set
             epoch = greatest(r.epoch, excluded.epoch),
             expires_at = greatest(r.expires_at, excluded.expires_at)`,
    values: [clientId, newsSeconds],
  });
}
