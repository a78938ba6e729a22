import type { Database, Queryable } from "@daykey/service/database";

/** What a key is for; each kind of token has keys of its own. */
export type KeyPurpose = "access_token" | "refresh_token";

export interface StoredKey {
  kid: string;
  purpose: KeyPurpose;
  algorithm: string;
  /** See `sealing.ts`; its place is table `keys`, row = kid. */
  sealed: Buffer;
  /** Epoch seconds of its first use. */
  activeAt: number;
}

export interface KeysStore {
  all(): Promise<StoredKey[]>;
  /**
   * Runs `plan` over all keys with every other instance kept out, and stores what it returns: keys
   * to add or to seal anew, and kids to remove.
   */
  change(
    plan: (keys: StoredKey[]) => Promise<{ put: StoredKey[]; remove: string[] }>,
  ): Promise<void>;
  /** 16 random bytes made once for this database: the salt of a master passphrase. */
  passphraseSalt(candidate: Buffer): Promise<Buffer>;
}

/** Serialises every change of keys; the number only has to be ours. */
const KEYS_LOCK = 0x6b657973;

export function createKeysStore(database: Database): KeysStore {
  async function all(queryable: Queryable): Promise<StoredKey[]> {
    const { rows } = await queryable.query<{
      kid: string;
      purpose: KeyPurpose;
      algorithm: string;
      sealed: Buffer;
      active_at: number;
    }>({
      text: `select kid, purpose, algorithm, sealed, extract(epoch from active_at)::float8 as active_at
             from daykey.keys`,
    });
    return rows.map(({ active_at, ...row }) => ({ ...row, activeAt: active_at }));
  }

  return {
    all: () => all(database),

    async change(plan) {
      await database.transaction(async (tx) => {
        await tx.query({ text: "select pg_advisory_xact_lock($1)", values: [KEYS_LOCK] });
        const { put, remove } = await plan(await all(tx));
        for (const key of put) {
          await tx.query({
            text: `insert into daykey.keys (kid, purpose, algorithm, sealed, active_at)
                   values ($1, $2, $3, $4, to_timestamp($5))
                   on conflict (kid) do update set sealed = excluded.sealed`,
            values: [key.kid, key.purpose, key.algorithm, key.sealed, key.activeAt],
          });
        }
        if (remove.length > 0) {
          await tx.query({
            text: "delete from daykey.keys where kid = any($1)",
            values: [remove],
          });
        }
      });
    },

    async passphraseSalt(candidate) {
      await database.query({
        text: `insert into daykey.settings (name, value) values ('passphrase_salt', $1)
               on conflict (name) do nothing`,
        values: [candidate.toString("hex")],
      });
      const { rows } = await database.query<{ value: string }>({
        text: "select value from daykey.settings where name = 'passphrase_salt'",
      });
      return Buffer.from(rows[0]?.value ?? "", "hex");
    },
  };
}
