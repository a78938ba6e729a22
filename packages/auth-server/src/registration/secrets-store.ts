/** Secrets as an operator sees and ends them; adding one is `clients-store.ts`. */
import type { Database } from "@daykey/service/database/database";
import { createEndingSecretsStore, type EndingSecretsStore } from "./ending-secrets-store.ts";
import { hasClient, type Transaction } from "../clients/clients-store.ts";
import type { StoredSecret } from "../clients/verifiers.ts";
import { revokeCredential } from "./credential-revocation-store.ts";

/** All that can be told of a secret; times are epoch seconds, by the database's clock. */
export interface SecretState {
  kid: string;
  kind: StoredSecret["kind"];
  createdAt: number;
  expiresAt: number;
  lastUsedAt: number | undefined;
  revokedAt: number | undefined;
  /** Neither revoked nor expired. */
  live: boolean;
}

export interface SecretsStore extends EndingSecretsStore {
  /** Newest first, the ended ones too; undefined without such a client. */
  list(clientId: string): Promise<SecretState[] | undefined>;
  /**
   * Ends a secret and every grant it opened, together with what `record` writes last; its verifiers go.
   * One that was revoked before is left alone.
   * @throws {ProblemError} 409 when nobody could administrate any more
   */
  revoke(
    clientId: string,
    kid: string,
    record: (tx: Transaction, before: SecretState, after: SecretState) => Promise<void>,
  ): Promise<"revoked" | "unknown">;
}

interface Row {
  kid: string;
  kind: StoredSecret["kind"];
  created_at: number;
  expires_at: number;
  last_used_at: number | null;
  revoked_at: number | null;
  live: boolean;
}

const COLUMNS = `kid, kind, revoked_at is null and expires_at > now() as live,
  extract(epoch from created_at)::float8 as created_at,
  extract(epoch from expires_at)::float8 as expires_at,
  extract(epoch from last_used_at)::float8 as last_used_at,
  extract(epoch from revoked_at)::float8 as revoked_at`;

const REVOCATION = {
  read: `select ${COLUMNS} from daykey.secrets where client_id = $1 and kid = $2`,
  end: `update daykey.secrets set revoked_at = now(), verifiers = '', seed_verifiers = null
        where client_id = $1 and kid = $2 returning ${COLUMNS}`,
};

export function createSecretsStore(
  database: Database,
  { issuer, newsSeconds }: { issuer: string; newsSeconds: number },
): SecretsStore {
  return {
    ...createEndingSecretsStore(database),

    async list(clientId) {
      if (!(await hasClient(database, clientId))) return undefined;
      const { rows } = await database.query<Row>({
        text: `select ${COLUMNS} from daykey.secrets where client_id = $1
               order by secrets.created_at desc, kid`,
        values: [clientId],
      });
      return rows.map(toState);
    },

    revoke: (clientId, kid, record) =>
      revokeCredential<Row>(
        database,
        { clientId, kid, issuer, newsSeconds, statements: REVOCATION },
        async (tx, before, after) => record(tx, toState(before), toState(after)),
      ),
  };
}

function toState(row: Row): SecretState {
  return {
    kid: row.kid,
    kind: row.kind,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at ?? undefined,
    revokedAt: row.revoked_at ?? undefined,
    live: row.live,
  };
}
