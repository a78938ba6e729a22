/**
 * The rows of access keys. Each change is one transaction with what `record` writes about it, and
 * `record` comes last. Whether a key may be used is decided by one statement over the rows of key,
 * client and resource, so nothing that is cached can make a dead one look alive.
 */
import { type Quota, readQuotas } from "@daykey/common/quota";
import type { SignatureAlgorithm } from "@daykey/common/signed-request";
import type { Database, Queryable } from "@daykey/service/database/database";
import { namedValues } from "@daykey/service/database/named-values";
import { changeAlone } from "../changes/changes-store.ts";
import { tellCredentialsEnded } from "../clients/credential-ended-store.ts";
import type { ScopesAtResource } from "../clients/client.ts";
import { fromRowScopes } from "../clients/client-row.ts";
import { hasClient, type Transaction } from "../clients/clients-store.ts";
import type { Sealer } from "../keys/sealing.ts";
import { fromRowUri, toRowUri } from "../resources/resources-store.ts";
import type {
  AccessKey,
  AccessKeyKind,
  AccessKeyTerms,
  Ed25519Jwk,
  KeyMaterial,
} from "./access-key.ts";

export interface NewAccessKey {
  id: string;
  terms: AccessKeyTerms;
  material: KeyMaterial;
  /** From now; undefined: without end. */
  lifeSeconds: number | undefined;
  /** The key it is to follow, which ends so soon, if not sooner. */
  follows?: { id: string; overlapSeconds: number } | undefined;
}

/** A key that may be used now, with what its client and its resource have to say. */
export interface UsableKey {
  key: AccessKey;
  material: KeyMaterial;
  client: {
    epoch: number;
    scopes: readonly string[];
    resourceScopes: readonly ScopesAtResource[] | undefined;
    quotas: readonly Quota[];
  };
  resource: { scopes: readonly string[]; ownerClientId: string | undefined };
}

export interface AccessKeysStore {
  /** Newest first, the ended ones too; undefined without such a client. */
  list(clientId: string, kind: AccessKeyKind): Promise<AccessKey[] | undefined>;
  find(clientId: string, kind: AccessKeyKind, id: string): Promise<AccessKey | undefined>;
  /**
   * Adds a key, unless `record` fails, which is given the key it follows as it was. "full": the client
   * has `MAX_LIVE_ACCESS_KEYS`; "ended": the key to follow is not live.
   */
  add(
    key: NewAccessKey,
    record: (tx: Transaction, added: AccessKey, followed: AccessKey | undefined) => Promise<void>,
  ): Promise<AccessKey | "full" | "id_taken" | "ended" | "unknown">;
  /** Ends a key at once; one that was revoked before is left alone. */
  revoke(
    clientId: string,
    kind: AccessKeyKind,
    id: string,
    record: (tx: Transaction, before: AccessKey, after: AccessKey) => Promise<void>,
  ): Promise<"revoked" | "unknown">;
  /**
   * The key, if neither it nor its client has ended and both still have its resource.
   * @throws {CannotUnseal} when its row was altered
   */
  usable(kind: AccessKeyKind, id: string): Promise<UsableKey | undefined>;
  /**
   * Seals anew what the previous master key sealed.
   * @throws {CannotUnseal} when it was yet another one
   */
  reseal(): Promise<void>;
}

/** Both kinds together. */
export const MAX_LIVE_ACCESS_KEYS = 100;

interface Row {
  id: string;
  client_id: string;
  kind: AccessKeyKind;
  algorithm: SignatureAlgorithm | null;
  name: string;
  resource: string;
  scopes: string[];
  quotas: unknown;
  public_jwk: Ed25519Jwk | null;
  created_at: number;
  expires_at: number | null;
  last_used_at: number | null;
  revoked_at: number | null;
  live: boolean;
}

const LIVE = "k.revoked_at is null and (k.expires_at is null or k.expires_at > now())";
const COLUMNS = `k.id, k.client_id, k.kind, k.algorithm, k.name, k.resource, k.scopes, k.quotas,
  k.public_jwk, ${LIVE} as live, extract(epoch from k.created_at)::float8 as created_at,
  extract(epoch from k.expires_at)::float8 as expires_at,
  extract(epoch from k.last_used_at)::float8 as last_used_at,
  extract(epoch from k.revoked_at)::float8 as revoked_at`;

const RESEALED_AT_ONCE = 500;

export function createAccessKeysStore(
  database: Database,
  { issuer, newsSeconds, sealer }: { issuer: string; newsSeconds: number; sealer: Sealer },
): AccessKeysStore {
  const place = (id: string) => ({ table: "access_keys", row: id });

  function toKey(row: Row): AccessKey {
    return {
      id: row.id,
      clientId: row.client_id,
      kind: row.kind,
      algorithm: row.algorithm ?? undefined,
      name: row.name,
      resource: fromRowUri(row.resource, issuer),
      scopes: row.scopes,
      quotas: readQuotas(row.quotas) ?? [],
      publicJwk: row.public_jwk ?? undefined,
      createdAt: row.created_at,
      expiresAt: row.expires_at ?? undefined,
      lastUsedAt: row.last_used_at ?? undefined,
      revokedAt: row.revoked_at ?? undefined,
      live: row.live,
    };
  }

  async function find(
    queryable: Queryable,
    clientId: string,
    kind: AccessKeyKind,
    id: string,
  ): Promise<AccessKey | undefined> {
    const { rows } = await queryable.query<Row>({
      text: `select ${COLUMNS} from daykey.access_keys k
             where k.client_id = $1 and k.kind = $2 and k.id = $3`,
      values: [clientId, kind, id],
    });
    return rows[0] && toKey(rows[0]);
  }

  async function insert(tx: Queryable, key: NewAccessKey): Promise<AccessKey | undefined> {
    const { id, terms, material, lifeSeconds } = key;
    const { algorithm, hash, secret, publicJwk } = { ...NO_MATERIAL, ...material };
    const { columns, places, values } = namedValues(
      {
        id,
        client_id: terms.clientId,
        kind: material.kind,
        algorithm: algorithm ?? null,
        name: terms.name,
        resource: toRowUri(terms.resource, issuer),
        scopes: terms.scopes,
        quotas: JSON.stringify(terms.quotas),
        hash: hash ?? null,
        sealed: secret ? sealer.seal(secret, place(id)) : null,
        public_jwk: publicJwk ? JSON.stringify(publicJwk) : null,
      },
      2,
    );
    const { rows } = await tx.query<Row>({
      text: `insert into daykey.access_keys as k (expires_at, ${columns})
             values (now() + make_interval(secs => $1), ${places})
             on conflict (id) do nothing returning ${COLUMNS}`,
      values: [lifeSeconds ?? null, ...values],
    });
    return rows[0] && toKey(rows[0]);
  }

  return {
    async list(clientId, kind) {
      if (!(await hasClient(database, clientId))) return undefined;
      const { rows } = await database.query<Row>({
        text: `select ${COLUMNS} from daykey.access_keys k where k.client_id = $1 and k.kind = $2
               order by k.created_at desc, k.id`,
        values: [clientId, kind],
      });
      return rows.map(toKey);
    },

    find: async (clientId, kind, id) => find(database, clientId, kind, id),

    async add(key, record) {
      const { terms, material, follows } = key;
      return changeAlone(database, async (tx) => {
        // The client's row is locked, so those who add at once count one after the other.
        if (!(await hasClient(tx, terms.clientId, "for update"))) return "unknown";
        const { rows: live } = await tx.query<{ count: number }>({
          text: `select count(*)::int as count from daykey.access_keys k
                 where k.client_id = $1 and ${LIVE}`,
          values: [terms.clientId],
        });
        if ((live[0]?.count ?? 0) >= MAX_LIVE_ACCESS_KEYS) return "full";
        let followed: AccessKey | undefined;
        if (follows) {
          followed = await find(tx, terms.clientId, material.kind, follows.id);
          if (followed?.live !== true) return "ended";
        }
        const added = await insert(tx, key);
        if (!added) return "id_taken";
        if (follows) {
          await tx.query({
            text: `update daykey.access_keys
                   set expires_at = least(expires_at, now() + make_interval(secs => $2))
                   where id = $1`,
            values: [follows.id, follows.overlapSeconds],
          });
        }
        await record(tx, added, followed);
        return added;
      });
    },

    async revoke(clientId, kind, id, record) {
      return changeAlone(database, async (tx) => {
        if (!(await hasClient(tx, clientId, "for update"))) return "unknown";
        const before = await find(tx, clientId, kind, id);
        if (!before) return "unknown";
        if (before.revokedAt !== undefined) return "revoked";
        const { rows } = await tx.query<Row>({
          text: `update daykey.access_keys k set revoked_at = now(), sealed = null
                 where k.id = $1 returning ${COLUMNS}`,
          values: [id],
        });
        // Resource servers hold a key for seconds only, and the news lives for longer than an hour.
        await tellCredentialsEnded(tx, [{ clientId, kid: id }], newsSeconds);
        await record(tx, before, rows[0] ? toKey(rows[0]) : before);
        return "revoked";
      });
    },

    async usable(kind, id) {
      const { rows } = await database.query<
        Row & {
          hash: Buffer | null;
          sealed: Buffer | null;
          epoch: number;
          client_scopes: string[];
          client_quotas: unknown;
          client_resource_scopes: ScopesAtResource[] | null;
          resource_scopes: string[];
          owner_client_id: string | null;
        }
      >({
        name: "usable-access-key",
        text: `select ${COLUMNS}, k.hash, k.sealed, greatest(c.epoch, (select epoch_floor from daykey.change_counter)) as epoch, c.scopes as client_scopes,
                 c.quotas as client_quotas, c.resource_scopes as client_resource_scopes, r.scopes as resource_scopes, r.owner_client_id
               from daykey.access_keys k
               join daykey.clients c on c.client_id = k.client_id
               join daykey.resources r on r.uri = k.resource
               where k.id = $2 and k.kind = $1 and ${LIVE}
                 and c.enabled and c.deleted_at is null and k.resource = any(c.resources)`,
        values: [kind, id],
      });
      const [row] = rows;
      if (!row) return undefined;
      const key = toKey(row);
      return {
        key,
        material: materialOf(row, row.sealed && sealer.open(row.sealed, place(id))),
        client: {
          epoch: row.epoch,
          scopes: row.client_scopes,
          resourceScopes: fromRowScopes(row.client_resource_scopes, issuer),
          quotas: readQuotas(row.client_quotas) ?? [],
        },
        resource: {
          scopes: row.resource_scopes,
          ownerClientId: row.owner_client_id ?? undefined,
        },
      };
    },

    async reseal() {
      let resealed = RESEALED_AT_ONCE;
      while (resealed === RESEALED_AT_ONCE) {
        resealed = await changeAlone(database, async (tx) => {
          const { rows } = await tx.query<{ id: string; sealed: Buffer }>({
            text: `select id, sealed from daykey.access_keys
                   where substring(sealed from 2 for 8) <> $1
                   order by id limit ${RESEALED_AT_ONCE} for update`,
            values: [sealer.masterKeyId],
          });
          for (const { id, sealed } of rows) {
            await tx.query({
              text: "update daykey.access_keys set sealed = $2 where id = $1",
              values: [id, sealer.seal(sealer.open(sealed, place(id)), place(id))],
            });
          }
          return rows.length;
        });
      }
    },
  };
}

const NO_MATERIAL = {
  algorithm: undefined,
  hash: undefined,
  secret: undefined,
  publicJwk: undefined,
};

function materialOf(
  row: Pick<Row, "algorithm" | "public_jwk"> & { hash: Buffer | null },
  secret: Buffer | null,
): KeyMaterial {
  if (row.hash) return { kind: "api_key", hash: row.hash };
  if (secret) return { kind: "signature_key", algorithm: "hmac-sha256", secret };
  if (row.public_jwk) {
    return { kind: "signature_key", algorithm: "ed25519", publicJwk: row.public_jwk };
  }
  throw new Error("a check of the table lets no key be without its material");
}
