/**
 * Clients as an operator sees and changes them. Each change is one transaction with what `record`
 * writes about it, and `record` comes last. Ending what a client holds raises its epoch and leaves the
 * news for local validators (docs/protocol.md §3).
 */
import { tellClientEnded } from "../clients/client-ended-store.ts";
import type { Ext } from "@daykey/common/access-token";
import type { Quota } from "@daykey/common/quota";
import type { Database, Queryable } from "@daykey/service/database/database";
import { namedValues } from "@daykey/service/database/named-values";
import { changeAlone } from "../changes/changes-store.ts";
import { toRowUri } from "../resources/resources-store.ts";
import type {
  AccessTokenFormat,
  ClientRegistration,
  DpopMode,
  ExchangeRights,
} from "../clients/client.ts";
import {
  fromRegistrationRow,
  type RegistrationRow,
  toRegistrationRow,
} from "../clients/client-row.ts";
import type { Transaction } from "../clients/clients-store.ts";
import { keepAnAdmin } from "../clients/admins-store.ts";

export interface RegisteredClient extends ClientRegistration {
  enabled: boolean;
  epoch: number;
  /** From 1, one more at every change of anything here. */
  version: number;
  accessTokenFormat: AccessTokenFormat;
  quotas: readonly Quota[];
  tokenQuotas: readonly Quota[];
  ext: Ext;
  requireAssertionTyp: boolean;
  dpop: DpopMode;
  exchange: ExchangeRights | undefined;
  certificateBound: boolean;
  /** Epoch seconds, as the next. */
  createdAt: number;
  updatedAt: number;
}

export interface ClientFilter {
  /** Part of the id or the name, whatever the case. */
  text?: string | undefined;
  enabled?: boolean | undefined;
  scope?: string | undefined;
  resource?: string | undefined;
}

export const CLIENT_ORDERS = ["client_id", "created_at"] as const;
export type ClientOrder = (typeof CLIENT_ORDERS)[number];

/** Where a page ended: the next begins after it. */
export interface ClientPlace {
  clientId: string;
  /** UTC with microseconds, as in `2026-11-21T12:00:00.123456Z`. */
  createdAt: string;
}

/** Writes what is recorded of a change, within its transaction; nothing is written after it. */
export type RecordClientChange = (
  tx: Transaction,
  before: RegisteredClient,
  after: RegisteredClient | undefined,
) => Promise<void>;

/** A client's state, and how it may be changed. */
export type ClientSwitch = "disable" | "enable" | "revoke_tokens";

export interface RegistrationsStore {
  list(page: {
    limit: number;
    order: ClientOrder;
    after: ClientPlace | undefined;
    filter: ClientFilter;
  }): Promise<{ clients: RegisteredClient[]; next: ClientPlace | undefined }>;
  /** Undefined without such a client; `tx` sees what it has itself changed. */
  read(clientId: string, tx?: Transaction): Promise<RegisteredClient | undefined>;
  /**
   * Replaces a registration by what `decide` makes of it, undefined for no change; verifiers of a method
   * it loses go. Nothing else changes a client or a resource between what `decide` is given and the
   * commit, so it is where a precondition is checked.
   * @throws what `decide` throws, and {ProblemError} 409 when nobody could administrate any more
   */
  change(
    clientId: string,
    decide: (current: RegisteredClient, tx: Transaction) => Promise<ClientRegistration | undefined>,
    record: RecordClientChange,
  ): Promise<RegisteredClient | "unknown">;
  /**
   * Turns a client off or on, or ends all its tokens. Disabling ends them too; a client that is already
   * so is left alone. @throws {ProblemError} as `change`
   */
  turn(
    clientId: string,
    how: ClientSwitch,
    record: RecordClientChange,
  ): Promise<RegisteredClient | "unknown">;
  /**
   * Deletes a client for good: its id stays taken, its verifiers and keys go.
   * @param check throws where the client is not as the caller saw it
   * @throws what `check` throws, and {ProblemError} as `change`
   */
  remove(
    clientId: string,
    check: (current: RegisteredClient) => void,
    record: RecordClientChange,
  ): Promise<"removed" | "unknown">;
}

interface Row extends RegistrationRow {
  version: number;
  created_at: number;
  updated_at: number;
}

const COLUMNS = `client_id, name, enabled,
  greatest(epoch, (select epoch_floor from daykey.change_counter)) as epoch, version, auth_methods, grant_types, scopes, resources, resource_scopes,
  access_token_seconds, refresh_idle_seconds, refresh_absolute_seconds, access_token_format, jwks_uri,
  quotas, require_assertion_typ, dpop, exchange, token_quotas, ext, tls_client_auth, certificate_bound,
  extract(epoch from created_at)::float8 as created_at,
  extract(epoch from updated_at)::float8 as updated_at`;

/** Without this method its verifiers go. */
const SEED = "client_secret_hash_seed";

/** The page's text is one of two, and all that a caller sends is a parameter (A5). */
const LIST: Record<ClientOrder, string> = {
  client_id: listText("client_id > $5", "client_id"),
  created_at: listText(
    "(created_at, client_id) > ($7::timestamptz, $5)",
    // Qualified: the answer's column of that name is a number, which no index orders.
    "clients.created_at, client_id",
  ),
};

function listText(after: string, order: string): string {
  return `select ${COLUMNS}, to_char(created_at at time zone 'UTC',
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as created_at_exact
          from daykey.clients
          where deleted_at is null
            and ($1::text is null or strpos(lower(client_id), lower($1)) > 0
              or strpos(lower(name), lower($1)) > 0)
            and ($2::boolean is null or enabled = $2)
            and ($3::text is null or $3 = any(scopes))
            and ($4::text is null or $4 = any(resources))
            and ($5::text is null or ${after})
          order by ${order} limit $6`;
}

export function createRegistrationsStore(
  database: Database,
  { issuer, newsSeconds }: { issuer: string; newsSeconds: number },
): RegistrationsStore {
  function toClient(row: Row): RegisteredClient {
    return {
      ...fromRegistrationRow(row, issuer),
      version: row.version,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    };
  }

  async function read(
    queryable: Queryable,
    clientId: string,
    lock = "",
  ): Promise<RegisteredClient | undefined> {
    const { rows } = await queryable.query<Row>({
      text: `select ${COLUMNS} from daykey.clients
             where client_id = $1 and deleted_at is null ${lock}`,
      values: [clientId],
    });
    return rows[0] && toClient(rows[0]);
  }

  async function update(
    tx: Queryable,
    set: string,
    values: readonly unknown[],
  ): Promise<RegisteredClient> {
    const { rows } = await tx.query<Row>({
      text: `update daykey.clients set ${set}, version = version + 1, updated_at = now()
             where client_id = $1 returning ${COLUMNS}`,
      values,
    });
    const [row] = rows;
    if (!row) throw new Error("a locked row vanished");
    return toClient(row);
  }

  return {
    async list({ limit, order, after, filter }) {
      const { rows } = await database.query<Row & { created_at_exact: string }>({
        text: LIST[order],
        values: [
          filter.text ?? null,
          filter.enabled ?? null,
          filter.scope ?? null,
          filter.resource === undefined ? null : toRowUri(filter.resource, issuer),
          after?.clientId ?? null,
          limit + 1,
          ...(order === "created_at" ? [after?.createdAt ?? null] : []),
        ],
      });
      const last = rows.length > limit ? rows[limit - 1] : undefined;
      return {
        clients: rows.slice(0, limit).map(toClient),
        next: last && { clientId: last.client_id, createdAt: last.created_at_exact },
      };
    },

    read: async (clientId, tx = database) => read(tx, clientId),

    async change(clientId, decide, record) {
      return changeAlone(database, async (tx) => {
        const before = await read(tx, clientId, "for update");
        if (!before) return "unknown";
        const registration = await decide(before, tx);
        if (!registration) return before;
        const decided = namedValues(toRegistrationRow(registration, issuer), 2);
        const after = await keepAnAdmin(tx, { issuer, clientId }, async () =>
          update(tx, decided.assignments, [clientId, ...decided.values]),
        );
        if (before.authMethods.includes(SEED) && !after.authMethods.includes(SEED)) {
          await tx.query({
            text: `update daykey.secrets set seed_verifiers = null
                   where client_id = $1 and seed_verifiers is not null`,
            values: [clientId],
          });
        }
        await record(tx, before, after);
        return after;
      });
    },

    async turn(clientId, how, record) {
      return changeAlone(database, async (tx) => {
        const before = await read(tx, clientId, "for update");
        if (!before) return "unknown";
        const enabled = { disable: false, enable: true, revoke_tokens: before.enabled }[how];
        if (how !== "revoke_tokens" && before.enabled === enabled) return before;
        const raise = how === "enable" ? 0 : 1;
        const after = await keepAnAdmin(tx, { issuer, clientId }, async () =>
          update(tx, "enabled = $2, epoch = epoch + $3", [clientId, enabled, raise]),
        );
        if (raise > 0) await tellClientEnded(tx, { clientId, newsSeconds });
        await record(tx, before, after);
        return after;
      });
    },

    async remove(clientId, check, record) {
      return changeAlone(database, async (tx) => {
        const before = await read(tx, clientId, "for update");
        if (!before) return "unknown";
        check(before);
        await keepAnAdmin(tx, { issuer, clientId }, async () =>
          update(tx, "enabled = false, epoch = epoch + 1, deleted_at = now()", [clientId]),
        );
        await tellClientEnded(tx, { clientId, newsSeconds });
        for (const text of [
          `update daykey.secrets set verifiers = '', seed_verifiers = null,
             revoked_at = coalesce(revoked_at, now())
           where client_id = $1`,
          `update daykey.client_keys set revoked_at = coalesce(revoked_at, now())
           where client_id = $1`,
          `update daykey.access_keys set revoked_at = coalesce(revoked_at, now()), sealed = null
           where client_id = $1`,
          `update daykey.resources set owner_client_id = null where owner_client_id = $1`,
        ]) {
          await tx.query({ text, values: [clientId] });
        }
        await record(tx, before, undefined);
        return "removed";
      });
    },
  };
}
