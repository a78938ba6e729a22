import type { Revocation, RevocationKind } from "@daykey/common/revocation";
import type { Database } from "@daykey/service/database/database";
import { deleteExpired } from "@daykey/service/database/delete-expired";

export interface RevocationsStore {
  /** Every entry that is live by the database's clock: the whole set, never "since last". */
  live(): Promise<Revocation[]>;
  /** How many live grant revocations this client has caused. */
  countOfClient(clientId: string): Promise<number>;
  /** Deletes what has expired, by the database's clock. */
  clean(): Promise<void>;
}

export function createRevocationsStore(database: Database): RevocationsStore {
  return {
    async live() {
      const { rows } = await database.query<{
        kind: RevocationKind;
        subject: string;
        epoch: number | null;
        expires_at: number | null;
      }>({
        name: "live-revocations",
        text: `select kind, subject, epoch,
                 case when expires_at < 'infinity' then extract(epoch from expires_at)::float8 end
                   as expires_at
               from daykey.revocations where expires_at > now()`,
      });
      return rows.map(({ kind, subject, epoch, expires_at }) => ({
        kind,
        subject,
        epoch: epoch ?? undefined,
        expiresAt: expires_at ?? undefined,
      }));
    },

    async countOfClient(clientId) {
      const { rows } = await database.query<{ live: number }>({
        text: `select count(*)::int as live from daykey.revocations
               where client_id = $1 and expires_at > now()`,
        values: [clientId],
      });
      return rows[0]?.live ?? 0;
    },

    clean: () => deleteExpired(database, "daykey.revocations", "now()"),
  };
}
