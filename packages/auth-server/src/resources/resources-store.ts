/** Resources (RFC 8707): what a token can be for, and the scopes each understands. */
import type { Database } from "@daykey/service/database";

export interface Resource {
  /** Absolute URI; the `aud` of its tokens. */
  uri: string;
  name: string;
  scopes: readonly string[];
  /** The client that is this resource's server. */
  ownerClientId: string | undefined;
}

export interface ResourcesStore {
  all(): Promise<Resource[]>;
  /** Adds a resource; one that exists is left as it is. */
  add(resource: Resource): Promise<void>;
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

export function createResourcesStore(database: Database, issuer: string): ResourcesStore {
  return {
    async all() {
      const { rows } = await database.query<{
        uri: string;
        name: string;
        scopes: string[];
        owner_client_id: string | null;
      }>({ text: "select uri, name, scopes, owner_client_id from daykey.resources" });
      return rows.map((row) => ({
        uri: fromRowUri(row.uri, issuer),
        name: row.name,
        scopes: row.scopes,
        ownerClientId: row.owner_client_id ?? undefined,
      }));
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
