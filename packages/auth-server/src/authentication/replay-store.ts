import type { Clock } from "@daykey/common/clock";
import type { Database } from "@daykey/service/database/database";
import { deleteExpired } from "@daykey/common/delete-expired";
import type { Redis } from "@daykey/service/database/redis";
import { createUseOnce } from "@daykey/common/use-once";

/** Something that works once: a one-time hash's nonce, or an assertion's jti. */
export interface Nonce {
  clientId: string;
  /** Whose nonce it is: equal ones of other kids are others. */
  kid: string;
  nonce: string;
  /** Epoch seconds at which it was made, by its maker's clock. */
  issuedAt: number;
  /** Epoch seconds from which what it belongs to cannot be used in any case. */
  expiresAt: number;
}

export interface ReplayStore {
  /**
   * Whether the nonce was never used before, by any instance; durable once it says so. One made before
   * the database was last restored may have been used, and is refused.
   */
  use(nonce: Nonce): Promise<boolean>;
  /** Deletes what has expired by the database's clock. */
  clean(): Promise<void>;
}

const keyOf = ({ clientId, kid, nonce }: Pick<Nonce, "clientId" | "kid" | "nonce">): string =>
  `${clientId} ${kid} ${nonce}`;

/** Requests that come while a commit runs share the next one. */
export function createReplayStore(database: Database): ReplayStore {
  const use = createUseOnce<Nonce>({
    keyOf,
    async flush(batch) {
      const { rows } = await database.query<{ client_id: string; kid: string; nonce: string }>({
        name: "use-nonces",
        text: `insert into daykey.nonces (client_id, kid, nonce, expires_at)
               select client_id, kid, nonce, to_timestamp(expires_at)
               from unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::float8[])
                 as used (client_id, kid, nonce, expires_at, issued_at)
               where issued_at > (select coalesce(max(value::float8), 0) from daykey.settings
                                  where name = 'restored_at')
               order by client_id, kid, nonce
               on conflict do nothing
               returning client_id, kid, nonce`,
        values: [
          batch.map((item) => item.clientId),
          batch.map((item) => item.kid),
          batch.map((item) => item.nonce),
          batch.map((item) => item.expiresAt),
          batch.map((item) => item.issuedAt),
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

/**
 * The same in Redis or Valkey, where inserts are many (docs/explanation/scaling.md). It is as durable as Redis is
 * told to be.
 * @param options.restoredAt epoch seconds at which the database was last restored, 0 for never
 */
export function createRedisReplayStore(
  redis: Redis,
  { restoredAt, clock }: { restoredAt: () => number; clock: Clock },
): ReplayStore {
  return {
    async use({ issuedAt, expiresAt, ...nonce }) {
      if (issuedAt <= restoredAt()) return false;
      const seconds = Math.max(1, Math.ceil(expiresAt - clock()));
      return redis.useOnce(`daykey:once:${keyOf(nonce)}`, seconds);
    },
    clean: () => Promise.resolve(),
  };
}
