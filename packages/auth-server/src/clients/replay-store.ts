import type { Database } from "@daykey/service/database";
import { deleteExpired } from "@daykey/service/delete-expired";
import { createGroupCommit } from "@daykey/service/group-commit";

/** How long a one-time hash's nonce is remembered after its `when` (docs/protocol.md §1), in seconds. */
const NONCE_LIFE_SECONDS = 900;

export interface Nonce {
  clientId: string;
  kid: string;
  /** 32 lowercase hex. */
  nonce: string;
  /** Epoch seconds of the hash's `when`. */
  whenAt: number;
}

export interface ReplayStore {
  /** Whether the nonce was never used before, by any instance; durable once it says so. */
  use(nonce: Nonce): Promise<boolean>;
  /** Deletes what has expired by the database's clock. */
  clean(): Promise<void>;
}

const keyOf = ({ clientId, kid, nonce }: Omit<Nonce, "whenAt">): string =>
  `${clientId} ${kid} ${nonce}`;

/** Requests that come while a commit runs share the next one. */
export function createReplayStore(database: Database): ReplayStore {
  const use = createGroupCommit<Nonce, boolean>({
    keyOf,
    async flush(batch) {
      const { rows } = await database.query<{ client_id: string; kid: string; nonce: string }>({
        name: "use-nonces",
        text: `insert into daykey.nonces (client_id, kid, nonce, expires_at)
               select client_id, kid, nonce, to_timestamp(expires_at)
               from unnest($1::text[], $2::text[], $3::text[], $4::float8[])
                 as used (client_id, kid, nonce, expires_at)
               order by client_id, kid, nonce
               on conflict do nothing
               returning client_id, kid, nonce`,
        values: [
          batch.map((item) => item.clientId),
          batch.map((item) => item.kid),
          batch.map((item) => item.nonce),
          batch.map((item) => item.whenAt + NONCE_LIFE_SECONDS),
        ],
      });
      const inserted = new Set(
        rows.map((row) => keyOf({ clientId: row.client_id, kid: row.kid, nonce: row.nonce })),
      );
      return batch.map((item) => inserted.has(keyOf(item)));
    },
  });

  return {
    use,
    clean: () => deleteExpired(database, "daykey.nonces", "now()"),
  };
}
