/** Secrets as an operator sees and ends them; adding one is `clients-store.ts`. */
import type { Database } from "@daykey/service/database/database";
import { changeAlone } from "../changes/changes-store.ts";
import { keepAnAdmin } from "../clients/admins-store.ts";
import { tellCredentialsEnded } from "../clients/credential-ended-store.ts";
import { createEndingSecretsStore, type EndingSecretsStore } from "./ending-secrets-store.ts";
import { hasClient, type Transaction } from "../clients/clients-store.ts";
import type { StoredSecret } from "../clients/verifiers.ts";

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

    async revoke(clientId, kid, record) {
      return changeAlone(database, async (tx) => {
        // Locked as for adding one, so that live secrets are counted right.
        if (!(await hasClient(tx, clientId, "for update"))) return "unknown";
        const { rows } = await tx.query<Row>({
          text: `select ${COLUMNS} from daykey.secrets where client_id = $1 and kid = $2`,
          values: [clientId, kid],
        });
        const [before] = rows;
        if (!before) return "unknown";
        if (before.revoked_at !== null) return "revoked";
        const { rows: ended } = await keepAnAdmin(tx, { issuer, clientId }, async () =>
          tx.query<Row>({
            text: `update daykey.secrets set revoked_at = now(), verifiers = '', seed_verifiers = null
                   where client_id = $1 and kid = $2 returning ${COLUMNS}`,
            values: [clientId, kid],
          }),
        );
        await tellCredentialsEnded(tx, [{ clientId, kid }], newsSeconds);
        await record(tx, toState(before), toState(ended[0] ?? before));
        return "revoked";
      });
    },
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
