import type { Database, Queryable } from "@daykey/service/database/database";
import { changeAlone } from "../changes/changes-store.ts";

/** What an operator's word that the database was restored has done. */
export interface Restoration {
  clients: number;
  /** Epoch seconds by the database's clock. */
  restoredAt: number;
}

export interface RestoreStore {
  /** Epoch seconds at which that was last said; 0 for never. */
  restoredAt(): Promise<number>;
  /**
   * Ends everything from before: a restored backup has forgotten revocations, rotations and used
   * nonces. Every client's epoch is raised past any it can have had, which kills its tokens, and
   * one-time hashes and assertions made before now are refused. `record` comes last.
   */
  markRestored(
    record: (tx: Queryable, restoration: Restoration) => Promise<void>,
  ): Promise<Restoration>;
}

/** More than any client's epoch can have been raised by since the backup. */
const EPOCH_LEAP = 1_000_000;

export function createRestoreStore(
  database: Database,
  { newsSeconds }: { newsSeconds: number },
): RestoreStore {
  return {
    async restoredAt() {
      const { rows } = await database.query<{ value: number }>({
        text: "select value::float8 as value from daykey.settings where name = 'restored_at'",
      });
      return rows[0]?.value ?? 0;
    },

    async markRestored(record) {
      return changeAlone(database, async (tx) => {
        // One statement touches every client: who changes one meanwhile waits here, not in a deadlock.
        await tx.query({ text: "lock table daykey.clients in share row exclusive mode" });
        const { rowCount } = await tx.query({
          text: `with leapt as (
                   update daykey.clients
                   set epoch = epoch + ${EPOCH_LEAP}, version = version + 1, updated_at = now()
                   where deleted_at is null returning client_id, epoch)
                 insert into daykey.revocations (kind, subject, epoch, expires_at)
                 select 'client', client_id, epoch, now() + make_interval(secs => $1) from leapt
                 on conflict (kind, subject) do update
                   set epoch = excluded.epoch, expires_at = excluded.expires_at`,
          values: [newsSeconds],
        });
        const { rows } = await tx.query<{ restored_at: number }>({
          text: `insert into daykey.settings (name, value)
                 values ('restored_at', extract(epoch from clock_timestamp())::float8::text)
                 on conflict (name) do update set value = excluded.value
                 returning value::float8 as restored_at`,
        });
        const restoration = { clients: rowCount, restoredAt: rows[0]?.restored_at ?? 0 };
        await record(tx, restoration);
        return restoration;
      });
    },
  };
}
