import { ISSUER_SUBJECT } from "@daykey/common/revocation";
import type { Database, Queryable } from "@daykey/service/database/database";
import { changeAlone } from "../changes/changes-store.ts";
import { writeEntries } from "../changes/revocation-entries-store.ts";

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
   * nonces. The floor under all clients' epochs is raised past any epoch there can have been, which
   * kills every token, and one-time hashes and assertions made before now are refused. No client's row
   * is written, and there is one entry of news. `record` comes last.
   */
  markRestored(
    record: (tx: Queryable, restoration: Restoration) => Promise<void>,
  ): Promise<Restoration>;
}

/**
 * The floor is seconds since then, or more: below 2^31, as epochs in tokens have to be, until 2093. A
 * client's epoch stays below it unless it is raised more than once a second, so the floor is above what a
 * backup has forgotten too: raised epochs, and the floor of a restore from the same backup.
 */
const CLOCK_ORIGIN = "2025-01-01T00:00:00Z";

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
        // From here on no client's epoch changes.
        await tx.query({ text: "select daykey.next_change()" });
        const { rows: counted } = await tx.query<{ clients: number; highest: number }>({
          text: `select count(*) filter (where deleted_at is null)::int as clients,
                   coalesce(max(epoch), 0) as highest from daykey.clients`,
        });
        const { clients = 0, highest = 0 } = counted[0] ?? {};
        await tx.query({
          text: `update daykey.change_counter set last_shared = last,
                   epoch_floor = greatest(epoch_floor + 1, $1::int + 1,
                     extract(epoch from clock_timestamp() - timestamptz '${CLOCK_ORIGIN}')::int)`,
          values: [highest],
        });
        await tx.query({
          text: writeEntries({
            kind: "issuer",
            subject: "$2",
            epoch: "epoch_floor",
            expiresAt: "now() + make_interval(secs => $1)",
            from: "from daykey.change_counter",
            repeated: "replace",
          }),
          values: [newsSeconds, ISSUER_SUBJECT],
        });
        const { rows } = await tx.query<{ restored_at: number }>({
          text: `insert into daykey.settings (name, value)
                 values ('restored_at', extract(epoch from clock_timestamp())::float8::text)
                 on conflict (name) do update set value = excluded.value
                 returning value::float8 as restored_at`,
        });
        const restoration = { clients, restoredAt: rows[0]?.restored_at ?? 0 };
        await record(tx, restoration);
        return restoration;
      });
    },
  };
}
