/**
 * Counters of quotas and nonces in PostgreSQL: exact whatever the number of instances, kept over
 * restarts, and by the database's clock alone (docs/adr/0016-quotas.md says why this is no library). The
 * schema is that of `migrations/`; the role needs no more than `daykey_resource` has.
 */
import { deleteExpired } from "@daykey/common/delete-expired";
import { createGroupCommit } from "@daykey/common/group-commit";
import { createUseOnce } from "@daykey/common/use-once";
import { MARGIN_SECONDS, type NonceStore, unavailable } from "./keys/nonce-store.ts";
import { quotaAndNonces } from "./migrations/0001-quota-and-nonces.ts";
import type { Window } from "./quota/policy.ts";
import { type Charged, type QuotaStore, resetSeconds } from "./quota/quota-store.ts";
import type { GuardStore } from "./store.ts";

/** A pool of `pg` fits. A request waits for it, so its waits should be short. */
export interface PostgresQueryable {
  /** With a name it is a prepared statement. */
  query(statement: {
    name?: string;
    text: string;
    values?: unknown[];
  }): Promise<{ rows: unknown[]; rowCount: number | null }>;
}

/** In order; the schema `daykey_resource` and its table `migrations` are there before. */
export const MIGRATIONS: readonly { name: string; sql: string }[] = [quotaAndNonces];

/** @param database closed by who opened it */
export function createPostgresStore(database: PostgresQueryable): GuardStore {
  return {
    quotas: createPostgresQuotas(database, "daykey_resource"),
    nonces: createNonces(database),
  };
}

/**
 * Requests that come while a commit runs share the next one.
 * @param schema that has the counters: a resource's own, or the auth-server's
 */
export function createPostgresQuotas(
  database: PostgresQueryable,
  schema: "daykey_resource" | "daykey",
): QuotaStore {
  const charge = createGroupCommit<readonly Window[], Charged>({
    async flush(batch) {
      const lengths = new Map(batch.flat().map(({ counter, seconds }) => [counter, seconds]));
      // Every instance locks in this order.
      const counters = [...lengths.keys()].toSorted();
      const places = new Map(counters.map((counter, index) => [counter, index + 1]));
      const { rows } = await database.query({
        name: "charge",
        text: `select moment, admitted, counts from ${schema}.charge($1, $2, $3, $4, $5)`,
        values: [
          counters,
          counters.map((counter) => lengths.get(counter)),
          batch.map((windows) => windows.length),
          batch.flat().map(({ counter }) => places.get(counter)),
          batch.flat().map(({ limit }) => limit),
        ],
      });
      const [result] = rows as { moment: number; admitted: boolean[]; counts: string[] }[];
      if (!result) throw new TypeError("charge: one row is due");
      const used = result.counts.values();
      return batch.map((windows, index) => ({
        isAdmitted: result.admitted[index] === true,
        counts: windows.map(({ seconds }) => ({
          used: Number(used.next().value),
          resetSeconds: resetSeconds(result.moment, seconds),
        })),
      }));
    },
  });

  return {
    charge,
    clean: () => deleteExpired(database, `${schema}.quota_counters`, "now() - interval '1 minute'"),
  };
}

/** Requests that come while a commit runs share the next one. */
function createNonces(database: PostgresQueryable): NonceStore {
  interface Nonce {
    keyId: string;
    nonce: string;
    expiresAt: number;
  }
  const keyOf = (keyId: string, nonce: string): string => `${keyId} ${nonce}`;
  const use = createUseOnce<Nonce>({
    keyOf: ({ keyId, nonce }) => keyOf(keyId, nonce),
    async flush(batch) {
      const { rows } = await database.query({
        name: "use-signature-nonces",
        text: `insert into daykey_resource.nonces (key_id, nonce, expires_at)
               select key_id, nonce, to_timestamp(expires_at)
               from unnest($1::text[], $2::text[], $3::float8[]) as used (key_id, nonce, expires_at)
               order by key_id, nonce
               on conflict do nothing
               returning key_id, nonce`,
        values: [
          batch.map(({ keyId }) => keyId),
          batch.map(({ nonce }) => nonce),
          batch.map(({ expiresAt }) => expiresAt + MARGIN_SECONDS),
        ],
      });
      const inserted = new Set(
        (rows as { key_id: string; nonce: string }[]).map((row) => keyOf(row.key_id, row.nonce)),
      );
      return batch.map(({ keyId, nonce }) => inserted.has(keyOf(keyId, nonce)));
    },
  });

  return {
    use: (keyId, nonce, expiresAt) => use({ keyId, nonce, expiresAt }).catch(unavailable),
    clean: () => deleteExpired(database, "daykey_resource.nonces", "now()"),
  };
}
