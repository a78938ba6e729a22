/** What a server has of what a file can hold: by paged lists, however many clients there are. */
import { comparableUri } from "@daykey/common/resource-uri";
import { type AdminApi, eachPage, LARGEST_PAGE, segment } from "./admin-api.ts";
import { type Kind, KINDS, type Thing } from "./daykey-file.ts";
import { objectIn } from "./http.ts";

/** What a server has, by kind and by what names it. */
export interface ServerState {
  things: Readonly<Record<Kind, ReadonlyMap<string, Thing>>>;
  /** By `kind id`. */
  labels: ReadonlyMap<string, string>;
  /** Public keys of clients, by client and kid. */
  keys: ReadonlyMap<string, ReadonlyMap<string, Thing>>;
  /** The URI as it is registered, of an equivalent one. */
  registeredUri: (uri: string) => string;
}

/** The path of each kind's list. */
export const PATHS_OF: Readonly<Record<Kind, string>> = {
  resource: "/resources",
  client: "/clients",
  trust_issuer: "/trust/issuers",
  trust_rule: "/trust/rules",
};

export function pathOf(kind: Kind, id: string): string {
  return `${PATHS_OF[kind]}/${segment(id)}`;
}

/** @throws {CliError} */
export async function readServerState(api: AdminApi): Promise<ServerState> {
  const things: Record<Kind, Map<string, Thing>> = {
    resource: new Map(),
    client: new Map(),
    trust_issuer: new Map(),
    trust_rule: new Map(),
  };
  for (const { kind, id } of KINDS) {
    for await (const thing of everyOne(api, PATHS_OF[kind]))
      things[kind].set(String(thing[id]), thing);
  }
  // The issuer itself is not an operator's to change.
  things.resource.delete(api.issuer);
  const labels = new Map<string, string>();
  for await (const { kind, id, label } of everyOne(api, "/labels")) {
    labels.set(`${String(kind)} ${String(id)}`, String(label));
  }
  const keys = new Map<string, Map<string, Thing>>();
  for await (const { client_id: clientId, jwk } of everyOne(api, "/client-keys")) {
    const ofClient = keys.get(String(clientId)) ?? new Map<string, Thing>();
    keys.set(String(clientId), ofClient);
    ofClient.set(String((jwk as Thing)["kid"]), jwk as Thing);
  }
  const registered = new Map([...things.resource.keys()].map((uri) => [comparableUri(uri), uri]));
  const registeredUri = (uri: string): string => registered.get(comparableUri(uri)) ?? uri;
  return { things, labels, keys, registeredUri };
}

async function* everyOne(api: AdminApi, path: string): AsyncGenerator<Thing> {
  if (path === PATHS_OF.resource) {
    // That list has no pages.
    const { items } = await api.call<{ items: Thing[] }>("GET", path);
    for (const item of items) yield asNumbers(item) as Thing;
    return;
  }
  for await (const { items } of eachPage<Thing>(api, path, {
    query: { limit: String(LARGEST_PAGE) },
  })) {
    for (const item of items) yield asNumbers(item) as Thing;
  }
}

/** A thing as it is now, with its ETag. @throws {CliError} */
export async function readThing(
  api: AdminApi,
  kind: Kind,
  id: string,
): Promise<{ thing: Thing; etag: string | undefined }> {
  const path = pathOf(kind, id);
  const answer = await api.answer("GET", path);
  const thing = asNumbers(objectIn<object>(`GET ${path}`, answer)) as Thing;
  return { thing, etag: answer.headers.get("etag") ?? undefined };
}

/** Answers have exact integers; those of a file are small. */
function asNumbers(value: unknown): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (Array.isArray(value)) return value.map(asNumbers);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, asNumbers(of)]));
}
