import type { Database, Queryable } from "@daykey/service/database/database";
import { changeAlone } from "../changes/changes-store.ts";
import { writeEntries } from "../changes/revocation-entries-store.ts";

/** What a key is for; each kind of token has keys of its own. */
export const KEY_PURPOSES = ["access_token", "refresh_token", "opaque_token"] as const;
export type KeyPurpose = (typeof KEY_PURPOSES)[number];

export interface StoredKey {
  kid: string;
  purpose: KeyPurpose;
  algorithm: string;
  /** See `sealing.ts`; its place is table `keys`, row = kid. */
  sealed: Buffer;
  /** Epoch seconds of its first use. */
  activeAt: number;
}

/** What may be shown of a key; times are epoch seconds. */
export interface KeyFacts {
  kid: string;
  purpose: KeyPurpose;
  algorithm: string;
  createdAt: number;
  activeAt: number;
}

/** A transaction under way, for what has to be committed with it. */
export type Transaction = Queryable;

export interface KeyPlan {
  /** Keys to add, to seal anew or to use from another time on. */
  put: StoredKey[];
  /** Kids to remove. */
  remove: string[];
  /** Signing keys among `remove` whose tokens local validators must refuse from now on, for good. */
  revoked?: string[];
  /** Comes last. */
  record?: (tx: Transaction) => Promise<void>;
}

export interface KeysStore {
  all(): Promise<StoredKey[]>;
  /** In the order of their first use. */
  list(): Promise<KeyFacts[]>;
  /** Runs `plan` over all keys with every other instance kept out, and stores what it returns. */
  change(plan: (keys: StoredKey[]) => Promise<KeyPlan>): Promise<void>;
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

    async list() {
      const { rows } = await database.query<{
        kid: string;
        purpose: KeyPurpose;
        algorithm: string;
        created_at: number;
        active_at: number;
      }>({
        text: `select kid, purpose, algorithm, extract(epoch from created_at)::float8 as created_at,
                 extract(epoch from active_at)::float8 as active_at
               from daykey.keys order by keys.active_at, kid`,
      });
      return rows.map(({ created_at: createdAt, active_at: activeAt, ...row }) => ({
        ...row,
        createdAt,
        activeAt,
      }));
    },

    async change(plan) {
      await changeAlone(database, async (tx) => {
        await tx.query({ text: "select pg_advisory_xact_lock($1)", values: [KEYS_LOCK] });
        const { put, remove, revoked = [], record } = await plan(await all(tx));
        for (const key of put) {
          await tx.query({
            text: `insert into daykey.keys (kid, purpose, algorithm, sealed, active_at)
                   values ($1, $2, $3, $4, to_timestamp($5))
                   on conflict (kid) do update
                     set sealed = excluded.sealed, active_at = excluded.active_at`,
            values: [key.kid, key.purpose, key.algorithm, key.sealed, key.activeAt],
          });
        }
        if (remove.length > 0) {
          await tx.query({
            text: "delete from daykey.keys where kid = any($1)",
            values: [remove],
          });
        }
        if (revoked.length > 0) {
          await tx.query({
            text: writeEntries({
              kind: "signing_key",
              subject: "kid",
              expiresAt: "timestamptz 'infinity'",
              from: "from unnest($1::text[]) as kid",
              repeated: "keep",
            }),
            values: [revoked],
          });
        }
        await record?.(tx);
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
