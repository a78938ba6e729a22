/**
 * Nonces of signatures: each works once, at whatever instance (docs/protocol.md §5.4). What cannot be
 * remembered is refused: a store that is down or full lets nothing through.
 */
import type { Clock } from "@daykey/common/clock";
import type { Database } from "@daykey/service/database/database";
import { deleteExpired } from "@daykey/service/database/delete-expired";
import { OWN_MESSAGE } from "@daykey/service/observe/own-message";
import type { Redis } from "@daykey/service/database/redis";
import { createUseOnce } from "@daykey/service/database/use-once";

export interface NonceStore {
  /**
   * Whether the nonce was never used with this key before, by any instance; remembered once it says so.
   * @param expiresAt epoch seconds from which its signature is refused in any case
   * @throws {NoncesUnavailable}
   */
  use(keyId: string, nonce: string, expiresAt: number): Promise<boolean>;
  /** Deletes what has expired. */
  clean(): Promise<void>;
}

/** Whether a nonce was used before cannot be said now. */
export class NoncesUnavailable extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "NoncesUnavailable";

  constructor(options: { cause?: unknown } = {}) {
    super("Nonces cannot be remembered now.", options);
  }
}

/** Clocks differ: it is kept for so much longer. */
const MARGIN_SECONDS = 300;
const MAX_IN_MEMORY = 500_000;

const unavailable = (cause: unknown): never => {
  throw new NoncesUnavailable({ cause });
};

/** Requests that come while a commit runs share the next one. */
export function createPostgresNonceStore(database: Database): NonceStore {
  interface Nonce {
    keyId: string;
    nonce: string;
    expiresAt: number;
  }
  const keyOf = (keyId: string, nonce: string): string => `${keyId} ${nonce}`;
  const use = createUseOnce<Nonce>({
    keyOf: ({ keyId, nonce }) => keyOf(keyId, nonce),
    async flush(batch) {
      const { rows } = await database.query<{ key_id: string; nonce: string }>({
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
      const inserted = new Set(rows.map((row) => keyOf(row.key_id, row.nonce)));
      return batch.map(({ keyId, nonce }) => inserted.has(keyOf(keyId, nonce)));
    },
  });

  return {
    use: (keyId, nonce, expiresAt) => use({ keyId, nonce, expiresAt }).catch(unavailable),
    clean: () => deleteExpired(database, "daykey_resource.nonces", "now()"),
  };
}

export function createRedisNonceStore(redis: Redis, clock: Clock): NonceStore {
  return {
    use(keyId, nonce, expiresAt) {
      const seconds = Math.max(1, Math.ceil(expiresAt - clock())) + MARGIN_SECONDS;
      return redis.useOnce(`daykey:nonce:${keyId}:${nonce}`, seconds).catch(unavailable);
    },
    clean: () => Promise.resolve(),
  };
}

/** For one instance alone; forgotten when it ends. */
export function createMemoryNonceStore(clock: Clock): NonceStore {
  const used = new Map<string, number>();
  const clean = (): void => {
    const now = clock();
    for (const [key, until] of used) if (until <= now) used.delete(key);
  };
  return {
    use(keyId, nonce, expiresAt) {
      const key = `${keyId} ${nonce}`;
      if (used.has(key)) return Promise.resolve(false);
      if (used.size >= MAX_IN_MEMORY) return Promise.reject(new NoncesUnavailable());
      used.set(key, expiresAt + MARGIN_SECONDS);
      return Promise.resolve(true);
    },
    clean: () => Promise.resolve(clean()),
  };
}
