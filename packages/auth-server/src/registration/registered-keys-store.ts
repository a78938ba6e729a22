/** Public keys that an operator registered for a client that signs its assertions (RFC 7523). */
import type { JWK } from "jose";
import type { Database } from "@daykey/service/database/database";
import { changeAlone } from "../changes/changes-store.ts";
import { hasClient, type Transaction } from "../clients/clients-store.ts";
import { revokeCredential } from "./credential-revocation-store.ts";

export interface NewRegisteredKey {
  kid: string;
  algorithm: string;
  /** Public members only. */
  publicJwk: JWK;
}

/** Times are epoch seconds. */
export interface RegisteredKey extends NewRegisteredKey {
  createdAt: number;
  lastUsedAt: number | undefined;
  revokedAt: number | undefined;
}

/** Where a list of all clients' keys goes on. */
export interface KeyPlace {
  clientId: string;
  kid: string;
}

export interface HeldKey extends RegisteredKey {
  clientId: string;
}

export interface RegisteredKeysStore {
  /** Newest first, the revoked ones too; undefined without such a client. */
  list(clientId: string): Promise<RegisteredKey[] | undefined>;
  /**
   * Keys of all clients that were not revoked, by client and kid, after a place. Rows of revoked keys and of
   * deleted clients are examined too: a page may hold fewer than `limit` with more behind it.
   */
  page(wish: { limit: number; after: KeyPlace }): Promise<{ items: HeldKey[]; next?: KeyPlace }>;
  /**
   * Adds a key, unless `record`, which comes last, fails. "full": the client has `MAX_LIVE_KEYS`;
   * "kid_exists": it has or had a key or a secret of this kid.
   */
  add(
    clientId: string,
    key: NewRegisteredKey,
    record: (tx: Transaction) => Promise<void>,
  ): Promise<RegisteredKey | "full" | "kid_exists" | "unknown">;
  /**
   * Ends a key and every grant it opened; one that was revoked before is left alone.
   * @throws {ProblemError} 409 when nobody could administrate any more
   */
  revoke(
    clientId: string,
    kid: string,
    record: (tx: Transaction, before: RegisteredKey, after: RegisteredKey) => Promise<void>,
  ): Promise<"revoked" | "unknown">;
}

/** One in use, one to come, and some for programs that share an id. */
export const MAX_LIVE_KEYS = 10;

interface Row {
  kid: string;
  algorithm: string;
  public_jwk: JWK;
  created_at: number;
  last_used_at: number | null;
  revoked_at: number | null;
}

const COLUMNS = `kid, algorithm, public_jwk, extract(epoch from created_at)::float8 as created_at,
  extract(epoch from last_used_at)::float8 as last_used_at,
  extract(epoch from revoked_at)::float8 as revoked_at`;

const REVOCATION = {
  read: `select ${COLUMNS} from daykey.client_keys where client_id = $1 and kid = $2`,
  end: `update daykey.client_keys set revoked_at = now()
        where client_id = $1 and kid = $2 returning ${COLUMNS}`,
};

export function createRegisteredKeysStore(
  database: Database,
  { issuer, newsSeconds }: { issuer: string; newsSeconds: number },
): RegisteredKeysStore {
  return {
    async list(clientId) {
      if (!(await hasClient(database, clientId))) return undefined;
      const { rows } = await database.query<Row>({
        text: `select ${COLUMNS} from daykey.client_keys where client_id = $1
               order by client_keys.created_at desc, kid`,
        values: [clientId],
      });
      return rows.map(toKey);
    },

    async page({ limit, after }) {
      const { rows } = await database.query<Row & { client_id: string; is_held: boolean }>({
        text: `select client_id, ${COLUMNS}, revoked_at is null and exists (
                 select from daykey.clients c
                 where c.client_id = k.client_id and c.deleted_at is null) as is_held
               from daykey.client_keys k where (client_id, kid) > ($1, $2)
               order by client_id, kid limit $3`,
        values: [after.clientId, after.kid, limit],
      });
      const items = rows
        .filter((row) => row.is_held)
        .map((row) => ({ clientId: row.client_id, ...toKey(row) }));
      const last = rows.length < limit ? undefined : rows.at(-1);
      return { items, ...(last && { next: { clientId: last.client_id, kid: last.kid } }) };
    },

    async add(clientId, { kid, algorithm, publicJwk }, record) {
      return changeAlone(database, async (tx) => {
        if (!(await hasClient(tx, clientId, "for update"))) return "unknown";
        const { rows: live } = await tx.query<{ count: number }>({
          text: `select count(*)::int as count from daykey.client_keys
                 where client_id = $1 and revoked_at is null`,
          values: [clientId],
        });
        if ((live[0]?.count ?? 0) >= MAX_LIVE_KEYS) return "full";
        const { rows } = await tx.query<Row>({
          text: `insert into daykey.client_keys (client_id, kid, algorithm, public_jwk)
                 select $1, $2, $3, $4::jsonb
                 where not exists (select from daykey.secrets where client_id = $1 and kid = $2)
                 on conflict (client_id, kid) do nothing
                 returning ${COLUMNS}`,
          values: [clientId, kid, algorithm, JSON.stringify(publicJwk)],
        });
        const [row] = rows;
        if (!row) return "kid_exists";
        await record(tx);
        return toKey(row);
      });
    },

    revoke: (clientId, kid, record) =>
      revokeCredential<Row>(
        database,
        { clientId, kid, issuer, newsSeconds, statements: REVOCATION },
        async (tx, before, after) => record(tx, toKey(before), toKey(after)),
      ),
  };
}

function toKey(row: Row): RegisteredKey {
  return {
    kid: row.kid,
    algorithm: row.algorithm,
    publicJwk: row.public_jwk,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at ?? undefined,
    revokedAt: row.revoked_at ?? undefined,
  };
}
