import { formatDay } from "@daykey/common/clock";
import type { Database, Queryable } from "@daykey/service/database/database";
import { namedValues } from "@daykey/service/database/named-values";
import { changeAlone } from "../changes/changes-store.ts";
import { canAnyAdministrate, keepAnAdmin } from "./admins-store.ts";
import { CHOSEN_SECRET_METHODS, type Client, type ClientRegistration } from "./client.ts";
import { isKidOfName, kidOfName } from "./certificate-kid.ts";
import { type ClientKey, usableKeys } from "./client-key.ts";
import { fromRegistrationRow, type RegistrationRow, toRegistrationRow } from "./client-row.ts";
import type { StoredSecret } from "./verifiers.ts";

/** A live secret as far as requests around one day need it. */
export interface LiveSecret {
  kid: string;
  salt: string;
  /** Epoch seconds. */
  expiresAt: number;
  /** Whether another server made it. */
  isImported: boolean;
  /** By day since 1970-01-01, where the secret has one; 32 bytes each. */
  verifiers: ReadonlyMap<number, Buffer>;
  /** The same of the seed-compatible hash, where it has any. */
  seedVerifiers: ReadonlyMap<number, Buffer>;
}

export interface FoundClient {
  client: Client;
  secrets: LiveSecret[];
  /** Registered and not revoked, newest first. */
  keys: ClientKey[];
  /** For a client with a `jwksUri`: the kids of all its secrets and registered keys, ended ones too. */
  takenKids: ReadonlySet<string>;
}

/** A transaction under way, for what has to be committed with it. */
export type Transaction = Queryable;

/** The result of adding a secret. */
export interface AddedSecret {
  /** The other live secret whose life it shortened; ends are epoch seconds. */
  shortened: { kid: string; expiresBefore: number; expiresAt: number } | undefined;
}

export interface ClientsStore {
  /**
   * The client with its live secrets' verifiers of the days `firstDay` … `firstDay + 2`, and its keys;
   * undefined when there is none (or it was deleted).
   */
  find(
    clientId: string,
    window: { now: number; firstDay: number },
  ): Promise<FoundClient | undefined>;
  /**
   * Adds a client, most often with its first secret, unless `beforeCommit` fails; "exists" when the id
   * is or was in use.
   */
  create(
    registration: ClientRegistration,
    secret: StoredSecret | undefined,
    beforeCommit: (tx: Transaction) => Promise<void>,
  ): Promise<"created" | "exists">;
  /**
   * Adds a secret, unless `beforeCommit` fails; "full" when two live ones exist, "kid_exists" when the
   * client has or had this kid, "unfit" for a chosen one where the client has no method that takes it,
   * "unknown" without such a client.
   * @throws {ProblemError} 409 when nobody could administrate any more, once the other one has ended
   */
  addSecret(
    clientId: string,
    secret: StoredSecret,
    options?: {
      /** The other live secret ends so soon, if not sooner. */
      overlapSeconds?: number | undefined;
      beforeCommit?: (tx: Transaction, added: AddedSecret) => Promise<void>;
    },
  ): Promise<"added" | "full" | "kid_exists" | "unfit" | "unknown">;
  /** The kid of a live chosen secret, of a client that has one. */
  liveChosenSecret(clientId: string, tx?: Transaction): Promise<string | undefined>;
  /** Whether any enabled client may have this scope. */
  anyWithScope(scope: string): Promise<boolean>;
  /** Whether any client can administrate: has a live credential for it, too. */
  anyAdmin(): Promise<boolean>;
}

/** The client's own of `find`, the same in each of its rows. */
interface FoundRow extends RegistrationRow {
  keys: unknown[] | null;
  taken_kids: string[] | null;
}

/** One row a secret; the secret's columns are null for a client without any. */
interface ClientSecretRow extends FoundRow {
  kid: string | null;
  salt: string;
  is_imported: boolean;
  expires_at: number;
  /** The day of the first verifier in `verifiers`. */
  verifiers_day: number;
  verifiers: Buffer;
  seed_verifiers: Buffer | null;
}

/** How many live secrets a client may have: the current and a retiring one. */
const MAX_LIVE_SECRETS = 2;
const VERIFIER_BYTES = 32;
const NONE = Buffer.alloc(0);

/** Whether the client exists; `for update` also keeps other changes to it out until the end. */
export async function hasClient(
  queryable: Queryable,
  clientId: string,
  lock: "" | "for update" = "",
): Promise<boolean> {
  const { rowCount } = await queryable.query({
    text: `select from daykey.clients where client_id = $1 and deleted_at is null ${lock}`,
    values: [clientId],
  });
  return rowCount > 0;
}

export function createClientsStore(
  database: Database,
  {
    issuer,
    longestGrantSeconds,
    epochFloor = () => 0,
  }: {
    issuer: string;
    longestGrantSeconds: number;
    /** No client's epoch is below this, as known now: `restored` raises it. */
    epochFloor?: () => number;
  },
): ClientsStore {
  return {
    async find(clientId, { now, firstDay }) {
      const { rows } = await database.query<ClientSecretRow>({
        name: "client-with-secrets",
        text: `select c.client_id, c.name, c.enabled, c.epoch, c.auth_methods, c.grant_types, c.scopes,
                      c.resources, c.resource_scopes, c.access_token_seconds, c.refresh_idle_seconds,
                      c.refresh_absolute_seconds, c.access_token_format, c.jwks_uri, c.quotas,
                      c.require_assertion_typ, c.dpop, c.exchange, c.token_quotas, c.ext,
                      c.tls_client_auth, c.certificate_bound,
                      s.kid, s.salt, s.kind = 'imported' as is_imported,
                      extract(epoch from s.expires_at)::float8 as expires_at,
                      greatest(s.first_day - date '1970-01-01', $2::int) as verifiers_day,
                      substring(s.verifiers
                        from greatest($2::int - (s.first_day - date '1970-01-01'), 0) * 32 + 1
                        for 96) as verifiers,
                      substring(s.seed_verifiers
                        from greatest($2::int - (s.first_day - date '1970-01-01'), 0) * 32 + 1
                        for 96) as seed_verifiers,
                      (select jsonb_agg(k.public_jwk || jsonb_build_object('kid', k.kid, 'alg', k.algorithm)
                                        order by k.created_at desc)
                       from daykey.client_keys k
                       where k.client_id = c.client_id and k.revoked_at is null) as keys,
                      case when c.jwks_uri is not null then array(
                        select kid from daykey.secrets where client_id = c.client_id
                        union all
                        select kid from daykey.client_keys where client_id = c.client_id
                      ) end as taken_kids
               from daykey.clients c
               left join daykey.secrets s on s.client_id = c.client_id and s.revoked_at is null
                 and s.expires_at > to_timestamp($3)
               where c.client_id = $1 and c.deleted_at is null
               order by s.expires_at desc`,
        values: [clientId, firstDay, now - longestGrantSeconds],
      });
      const [first] = rows;
      if (!first) return undefined;
      const secrets = rows.filter((row) => row.kid !== null) as (ClientSecretRow & {
        kid: string;
      })[];
      const keys = usableKeys(first.keys ?? []);
      const live = new Set([...secrets, ...keys].map(({ kid }) => kid));
      const takenKids = new Set(first.taken_kids);
      const isPublishing = first.jwks_uri !== null;
      const name = first.tls_client_auth;
      return {
        client: {
          ...fromRegistrationRow(first, issuer),
          // Asked for at each use: a raised floor holds for clients in memory at once.
          get epoch() {
            return Math.max(first.epoch, epochFloor());
          },
          credentials: {
            has: (kid) =>
              isKidOfName(kid)
                ? name !== null && kid === kidOfName(name)
                : live.has(kid) || (isPublishing && !takenKids.has(kid)),
          },
        },
        keys,
        takenKids,
        secrets: secrets
          .filter((row) => row.expires_at > now)
          .slice(0, MAX_LIVE_SECRETS)
          .map((row) => ({
            kid: row.kid,
            salt: row.salt,
            expiresAt: row.expires_at,
            isImported: row.is_imported,
            verifiers: verifiersByDay(row.verifiers, row.verifiers_day, firstDay + 2),
            seedVerifiers: verifiersByDay(
              row.seed_verifiers ?? NONE,
              row.verifiers_day,
              firstDay + 2,
            ),
          })),
      };
    },

    async create(registration, secret, beforeCommit) {
      return changeAlone(database, async (tx) => {
        const { columns, places, values } = namedValues({
          client_id: registration.clientId,
          ...toRegistrationRow(registration, issuer),
        });
        const { rowCount } = await tx.query({
          text: `insert into daykey.clients (${columns}) values (${places})
                 on conflict (client_id) do nothing`,
          values,
        });
        if (rowCount === 0) return "exists";
        if (secret) await insertSecret(tx, registration.clientId, secret);
        await beforeCommit(tx);
        return "created";
      });
    },

    async addSecret(clientId, secret, { overlapSeconds, beforeCommit } = {}) {
      return changeAlone(database, async (tx) => {
        // The client's row is locked, so two who add at once count one after the other.
        if (!(await hasClient(tx, clientId, "for update"))) return "unknown";
        const { rows: live } = await tx.query<{ kid: string; expires_at: number }>({
          text: `select kid, extract(epoch from expires_at)::float8 as expires_at
                 from daykey.secrets
                 where client_id = $1 and revoked_at is null and expires_at > now()`,
          values: [clientId],
        });
        if (live.length >= MAX_LIVE_SECRETS) return "full";
        if (secret.kind === "chosen" && !(await takesChosenSecrets(tx, clientId))) return "unfit";
        if (!(await insertSecret(tx, clientId, secret))) return "kid_exists";
        await tx.query({
          text: `update daykey.secrets set seed_verifiers = null
                 where client_id = $1 and seed_verifiers is not null and expires_at <= now()`,
          values: [clientId],
        });
        const [other] = live;
        let shortened: AddedSecret["shortened"];
        if (other && overlapSeconds !== undefined) {
          const admins = { issuer, clientId, inSeconds: overlapSeconds };
          const { rows } = await keepAnAdmin(tx, admins, async () =>
            tx.query<{ expires_at: number }>({
              text: `update daykey.secrets set expires_at = now() + make_interval(secs => $3)
                     where client_id = $1 and kid = $2
                       and expires_at > now() + make_interval(secs => $3)
                     returning extract(epoch from expires_at)::float8 as expires_at`,
              values: [clientId, other.kid, overlapSeconds],
            }),
          );
          const { kid, expires_at: expiresBefore } = other;
          shortened = rows[0] && { kid, expiresBefore, expiresAt: rows[0].expires_at };
        }
        await beforeCommit?.(tx, { shortened });
        return "added";
      });
    },

    async liveChosenSecret(clientId, tx = database) {
      const { rows } = await tx.query<{ kid: string }>({
        text: `select kid from daykey.secrets
               where client_id = $1 and kind = 'chosen' and revoked_at is null
                 and expires_at > now() order by kid limit 1`,
        values: [clientId],
      });
      return rows[0]?.kid;
    },

    async anyWithScope(scope) {
      const { rowCount } = await database.query({
        text: `select from daykey.clients
               where deleted_at is null and enabled and $1 = any(scopes) limit 1`,
        values: [scope],
      });
      return rowCount > 0;
    },

    anyAdmin: async () => canAnyAdministrate(database, issuer),
  };
}

async function takesChosenSecrets(tx: Queryable, clientId: string): Promise<boolean> {
  const { rowCount } = await tx.query({
    text: "select from daykey.clients where client_id = $1 and auth_methods && $2",
    values: [clientId, CHOSEN_SECRET_METHODS],
  });
  return rowCount > 0;
}

/**
 * Verifiers of the seed-compatible hash are kept where the client has that method, by its row of now.
 * False when the client has or had a secret or a key of this kid.
 */
async function insertSecret(
  tx: Queryable,
  clientId: string,
  secret: StoredSecret,
): Promise<boolean> {
  const { rowCount } = await tx.query({
    text: `insert into daykey.secrets
             (client_id, kid, kind, salt, first_day, verifiers, expires_at, seed_verifiers)
           select $1, $2, $3, $4, $5::date, $6::bytea, to_timestamp($7),
             (select $8::bytea from daykey.clients
              where client_id = $1 and 'client_secret_hash_seed' = any(auth_methods))
           where not exists (select from daykey.client_keys where client_id = $1 and kid = $2)
           on conflict (client_id, kid) do nothing`,
    values: [
      clientId,
      secret.kid,
      secret.kind,
      secret.salt,
      formatDay(secret.firstDay),
      secret.verifiers,
      secret.expiresAt,
      secret.seedVerifiers ?? null,
    ],
  });
  return rowCount > 0;
}

function verifiersByDay(bytes: Buffer, firstDay: number, lastDay: number): Map<number, Buffer> {
  const byDay = new Map<number, Buffer>();
  for (let i = 0; i * VERIFIER_BYTES < bytes.length && firstDay + i <= lastDay; i++) {
    byDay.set(firstDay + i, bytes.subarray(i * VERIFIER_BYTES, (i + 1) * VERIFIER_BYTES));
  }
  return byDay;
}
