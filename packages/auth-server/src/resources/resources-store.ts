/** Resources (RFC 8707): what a token can be for, and the scopes each understands. */
import { comparableUri } from "@daykey/common/resource-uri";
import type { Database, Queryable } from "@daykey/service/database/database";
import { changeAlone } from "../changes/changes-store.ts";

export interface Resource {
  /** Absolute URI; the `aud` of its tokens. */
  uri: string;
  name: string;
  scopes: readonly string[];
  /** The client that is this resource's server. */
  ownerClientId: string | undefined;
}

export interface ResourcesStore {
  /** The URI of the one that is this server itself. */
  readonly issuer: string;
  /** `tx` sees what it has itself changed. */
  all(tx?: Queryable): Promise<Resource[]>;
  /** Adds a resource; one that exists is left as it is. */
  add(resource: Resource): Promise<void>;
  /** By its registered URI, or an equivalent one; undefined without such a resource. */
  find(uri: string): Promise<Resource | undefined>;
  /**
   * Adds a resource, unless `record`, which comes last, fails. "exists": its URI or an equivalent one is
   * registered. "no_owner": its owner is no client.
   */
  create(
    resource: Resource,
    record: (tx: Queryable) => Promise<void>,
  ): Promise<"created" | "exists" | "no_owner">;
  /**
   * Replaces all of a resource, named as for `find`, but its URI by what `decide` makes of it, undefined for no change, unless
   * `record` fails. Nothing else changes a client or a resource between what `decide` is given and the
   * commit, so it is where a precondition is checked. A client that has a new scope's name from another of its
   * resources does not gain the scope: its rights are listed as they are. "shared_names": too many have it.
   * @throws what `decide` throws
   */
  change(
    uri: string,
    decide: (current: Resource) => Resource | undefined,
    record: (
      tx: Queryable,
      before: Resource,
      after: Resource,
      listedClients: number,
    ) => Promise<void>,
  ): Promise<Resource | "unknown" | "no_owner" | "shared_names">;
  /**
   * Removes a resource, named as for `find`, that no client has, unless `record` fails.
   * @param check throws where the resource is not as the caller saw it
   * @throws what `check` throws
   */
  remove(
    uri: string,
    check: (current: Resource) => void,
    record: (tx: Queryable, before: Resource) => Promise<void>,
  ): Promise<"removed" | "unknown" | "in_use">;
}

interface Row {
  uri: string;
  name: string;
  scopes: string[];
  owner_client_id: string | null;
}

/**
 * The issuer is a resource too. Its URI is a setting, so rows hold this name for it; stores turn one
 * into the other and nobody else sees it.
 */
const ISSUER_ROW = "urn:daykey:issuer";

export function toRowUri(uri: string, issuer: string): string {
  return uri === issuer ? ISSUER_ROW : uri;
}

export function fromRowUri(uri: string, issuer: string): string {
  return uri === ISSUER_ROW ? issuer : uri;
}

/** That are listed with one change of a resource, so that it takes no longer than a statement may. */
const MAX_LISTED_CLIENTS = 10_000;

/**
 * Lists the rights of clients, as they are, that have one of these names from another resource than this one.
 * @returns how many; undefined, and lists none, where there are too many
 */
async function keepNamesApart(
  tx: Queryable,
  rowUri: string,
  names: readonly string[],
): Promise<number | undefined> {
  if (names.length === 0) return 0;
  const others = `select client_id from daykey.clients c
    where resource_scopes is null and deleted_at is null and $1 = any(resources) and scopes && $2
      and exists (select from daykey.resources r, unnest($2::text[]) one
                  where r.uri = any(c.resources) and one = any(r.scopes) and one = any(c.scopes))`;
  const values = [rowUri, names];
  const { rowCount } = await tx.query({
    text: `${others} limit ${MAX_LISTED_CLIENTS + 1}`,
    values,
  });
  if (rowCount > MAX_LISTED_CLIENTS) return undefined;
  if (rowCount === 0) return 0;
  await tx.query({
    text: `update daykey.clients c set version = version + 1, updated_at = now(), resource_scopes = (
             select jsonb_agg(jsonb_build_object('resource', r.uri, 'scopes', array(
               select one from unnest(c.scopes) one where one = any(r.scopes))))
             from daykey.resources r where r.uri = any(c.resources))
           where client_id in (${others})`,
    values,
  });
  return rowCount;
}

export function createResourcesStore(database: Database, issuer: string): ResourcesStore {
  function toResource(row: Row): Resource {
    return {
      uri: fromRowUri(row.uri, issuer),
      name: row.name,
      scopes: row.scopes,
      ownerClientId: row.owner_client_id ?? undefined,
    };
  }

  async function find(queryable: Queryable, uri: string): Promise<Resource | undefined> {
    const { rows } = await queryable.query<Row>({
      text: `select uri, name, scopes, owner_client_id from daykey.resources where uri = $1`,
      values: [toRowUri(uri, issuer)],
    });
    return rows[0] && toResource(rows[0]);
  }

  async function all(queryable: Queryable): Promise<Resource[]> {
    const { rows } = await queryable.query<Row>({
      text: "select uri, name, scopes, owner_client_id from daykey.resources",
    });
    return rows.map(toResource);
  }

  async function equivalents(queryable: Queryable, uri: string): Promise<Resource[]> {
    const form = comparableUri(uri);
    return (await all(queryable)).filter((resource) => comparableUri(resource.uri) === form);
  }

  /** By its registered URI, or an equivalent one. */
  async function findAny(queryable: Queryable, uri: string): Promise<Resource | undefined> {
    return (await find(queryable, uri)) ?? (await equivalents(queryable, uri))[0];
  }

  /** Held until the end of the transaction, so the owner is not deleted meanwhile. */
  async function lacksOwner(tx: Queryable, { ownerClientId }: Resource): Promise<boolean> {
    if (ownerClientId === undefined) return false;
    const { rowCount } = await tx.query({
      text: "select from daykey.clients where client_id = $1 and deleted_at is null for share",
      values: [ownerClientId],
    });
    return rowCount === 0;
  }

  return {
    issuer,

    all: async (tx = database) => all(tx),

    find: async (uri) => findAny(database, uri),

    async create(resource, record) {
      return changeAlone(database, async (tx) => {
        if (await lacksOwner(tx, resource)) return "no_owner";
        if ((await equivalents(tx, resource.uri)).length > 0) return "exists";
        const { rowCount } = await tx.query({
          text: `insert into daykey.resources (uri, name, scopes, owner_client_id)
                 values ($1, $2, $3, $4) on conflict (uri) do nothing`,
          values: [
            toRowUri(resource.uri, issuer),
            resource.name,
            resource.scopes,
            resource.ownerClientId ?? null,
          ],
        });
        if (rowCount === 0) return "exists";
        await record(tx);
        return "created";
      });
    },

    async change(uri, decide, record) {
      return changeAlone(database, async (tx) => {
        const before = await findAny(tx, uri);
        if (!before) return "unknown";
        const after = decide(before);
        if (!after) return before;
        if (await lacksOwner(tx, after)) return "no_owner";
        const added = after.scopes.filter((scope) => !before.scopes.includes(scope));
        const listed = await keepNamesApart(tx, toRowUri(after.uri, issuer), added);
        if (listed === undefined) return "shared_names";
        await tx.query({
          text: `update daykey.resources set name = $2, scopes = $3, owner_client_id = $4
                 where uri = $1`,
          values: [
            toRowUri(after.uri, issuer),
            after.name,
            after.scopes,
            after.ownerClientId ?? null,
          ],
        });
        await record(tx, before, after, listed);
        return after;
      });
    },

    async remove(uri, check, record) {
      return changeAlone(database, async (tx) => {
        const before = await findAny(tx, uri);
        if (!before) return "unknown";
        check(before);
        const { rowCount } = await tx.query({
          text: `delete from daykey.resources where uri = $1 and not exists (
                   select from daykey.clients where deleted_at is null and $1 = any(resources))`,
          values: [toRowUri(before.uri, issuer)],
        });
        if (rowCount === 0) return "in_use";
        await record(tx, before);
        return "removed";
      });
    },

    async add({ uri, name, scopes, ownerClientId }) {
      await database.query({
        text: `insert into daykey.resources (uri, name, scopes, owner_client_id)
               values ($1, $2, $3, $4) on conflict (uri) do nothing`,
        values: [toRowUri(uri, issuer), name, scopes, ownerClientId ?? null],
      });
    },
  };
}
