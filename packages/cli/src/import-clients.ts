/** Clients as other servers export them, and as a file of `apply` has them. What cannot come along is said. */
import { CLIENT_ID } from "@daykey/common/protocol";
import { usageError } from "./exit.ts";

export const SOURCES = ["hydra", "keycloak", "auth0"] as const;
export type Source = (typeof SOURCES)[number];

type Json = Readonly<Record<string, unknown>>;

/** A client of another server, as far as it can be one here. */
interface Foreign {
  id: string;
  name: string;
  secret: string | undefined;
  methods: string[];
  scopes: string[];
  /** What its tokens are for. */
  audiences: string[];
  seconds: number | undefined;
  jwksUri: string | undefined;
  dpop: boolean;
  /** What does not come along. */
  lost: string[];
  /** Why it cannot come at all. */
  unfit: string | undefined;
}

export interface Imported {
  file: { label: string; resources: object[]; clients: object[] };
  /** By client id. */
  secrets: Record<string, string>;
  /** `client: what`, for a person. */
  notes: string[];
}

/** @param defaults for a client that names no resource or scope @throws {CliError} */
export function importClients(
  source: Source,
  exported: unknown,
  defaults: { label: string; resource: string; scope: string },
): Imported {
  const clients: object[] = [];
  const secrets: Record<string, string> = Object.create(null) as Record<string, string>;
  const notes: string[] = [];
  const scopesOf = new Map<string, Set<string>>();
  for (const one of READERS[source](exported)) {
    const unfit = one.unfit ?? (CLIENT_ID.test(one.id) ? undefined : "its id cannot be one here");
    if (unfit !== undefined) {
      notes.push(`${one.id}: left out: ${unfit}`);
      continue;
    }
    const scopes = one.scopes.length > 0 ? one.scopes : [defaults.scope];
    const named = one.audiences.filter((uri) => URL.canParse(uri) && !uri.includes("#"));
    const resources = named.length > 0 ? named : [defaults.resource];
    if (named.length === 0) one.lost.push(`it names no resource, and gets ${defaults.resource}`);
    if (one.scopes.length === 0) one.lost.push(`it names no scope, and gets ${defaults.scope}`);
    const isSecret = one.methods.some((method) => method.startsWith("client_secret"));
    if (isSecret && one.secret === undefined)
      one.lost.push("its secret is not in the file: it gets a new one");
    for (const uri of resources) {
      scopesOf.set(uri, new Set([...(scopesOf.get(uri) ?? []), ...scopes]));
    }
    clients.push({
      client_id: one.id,
      name: one.name,
      auth_methods: one.methods,
      scopes,
      resources,
      ...(one.seconds !== undefined && { access_token_seconds: one.seconds }),
      ...(one.jwksUri !== undefined && { jwks_uri: one.jwksUri }),
      ...(one.dpop && { dpop: "required" }),
      ...(isSecret && one.secret !== undefined && { secret: "imported" }),
    });
    if (isSecret && one.secret !== undefined) secrets[one.id] = one.secret;
    notes.push(...one.lost.map((what) => `${one.id}: ${what}`));
  }
  const resources = [...scopesOf].map(([uri, scopes]) => ({
    uri,
    name: uri.slice(0, 200),
    scopes: [...scopes],
  }));
  return { file: { label: defaults.label, resources, clients }, secrets, notes };
}

const READERS: Readonly<Record<Source, (exported: unknown) => Foreign[]>> = {
  hydra: (exported) => listIn(exported, ["items", "clients"]).map(fromHydra),
  keycloak: (exported) => listIn(exported, ["clients"]).map(fromKeycloak),
  auth0(exported) {
    const grants = isObject(exported) ? objectsIn(exported["client_grants"]) : [];
    return listIn(exported, ["clients"]).map((client) => fromAuth0(client, grants));
  },
};

function fromHydra(client: Json): Foreign {
  const id = textIn(client, "client_id") ?? "";
  const hash = textIn(client, "client_secret") ?? "";
  // What a database holds of a secret is no secret.
  const isHash = /^\$(pbkdf2|2[abxy]\$|argon2)/.test(hash);
  const method = textIn(client, "token_endpoint_auth_method") ?? "client_secret_basic";
  const grants = textsIn(client["grant_types"]);
  return {
    id,
    name: nameOf(textIn(client, "client_name"), id),
    secret: hash === "" || isHash ? undefined : hash,
    ...methodsOf(method),
    scopes: (textIn(client, "scope") ?? "").split(" ").filter((scope) => !OPENID.has(scope)),
    audiences: textsIn(client["audience"]),
    seconds: goSeconds(textIn(client, "client_credentials_grant_access_token_lifespan")),
    jwksUri: textIn(client, "jwks_uri"),
    dpop: false,
    lost: [
      ...lostGrants(grants),
      ...(isHash ? ["its secret is known by its hash alone"] : []),
      ...(isObject(client["jwks"]) && objectsIn(client["jwks"]["keys"]).length > 0
        ? ["its keys: add them by daykey client-keys add"]
        : []),
      ...(isObject(client["metadata"]) && Object.keys(client["metadata"]).length > 0
        ? ["its metadata"]
        : []),
    ],
    unfit: grants.includes("client_credentials") ? undefined : NO_MACHINE,
  };
}

const KEYCLOAK_METHODS: Readonly<Record<string, string>> = {
  "client-jwt": "private_key_jwt",
  "client-x509": "tls_client_auth",
  "client-secret-jwt": "client_secret_jwt",
};

function fromKeycloak(client: Json): Foreign {
  const id = textIn(client, "clientId") ?? "";
  const attributes = isObject(client["attributes"]) ? client["attributes"] : {};
  const authenticator = textIn(client, "clientAuthenticatorType") ?? "client-secret";
  const secret = textIn(client, "secret");
  // An export without secrets has stars in their place.
  const isKnown = secret !== undefined && !/^\*+$/.test(secret);
  const mappers = objectsIn(client["protocolMappers"]);
  const audiences = mappers
    .filter((mapper) => mapper["protocolMapper"] === "oidc-audience-mapper")
    .map(({ config }) =>
      isObject(config) ? textIn(config, "included.custom.audience") : undefined,
    );
  const seconds = Number(textIn(attributes, "access.token.lifespan") ?? "");
  const others = mappers.filter((mapper) => mapper["protocolMapper"] !== "oidc-audience-mapper");
  const machine = client["serviceAccountsEnabled"] === true && client["publicClient"] !== true;
  return {
    id,
    name: nameOf(textIn(client, "name"), id),
    secret: isKnown ? secret : undefined,
    ...methodsOf(KEYCLOAK_METHODS[authenticator] ?? "client_secret_basic"),
    scopes: [
      ...textsIn(client["defaultClientScopes"]),
      ...textsIn(client["optionalClientScopes"]),
    ].filter((scope) => !OPENID.has(scope)),
    audiences: audiences.filter((uri) => uri !== undefined),
    seconds: Number.isInteger(seconds) && seconds > 0 ? seconds : undefined,
    jwksUri: attributes["use.jwks.url"] === "true" ? textIn(attributes, "jwks.url") : undefined,
    dpop: attributes["dpop.bound.access.tokens"] === "true",
    lost: [
      ...(client["standardFlowEnabled"] === true ? ["signing in people"] : []),
      ...(client["enabled"] === false ? ["that it is disabled: daykey clients disable"] : []),
      ...(others.length > 0 ? [`${others.length} mappers of claims`] : []),
      ...(client["authorizationServicesEnabled"] === true ? ["authorization services"] : []),
    ],
    unfit: machine ? undefined : NO_MACHINE,
  };
}

function fromAuth0(client: Json, grants: readonly Json[]): Foreign {
  const id = textIn(client, "client_id") ?? "";
  const own = grants.filter((grant) => grant["client_id"] === id);
  const types = textsIn(client["grant_types"]);
  const lifetime = isObject(client["jwt_configuration"])
    ? client["jwt_configuration"]["lifetime_in_seconds"]
    : undefined;
  return {
    id,
    name: nameOf(textIn(client, "name"), id),
    secret: textIn(client, "client_secret"),
    ...methodsOf(textIn(client, "token_endpoint_auth_method") ?? "client_secret_post"),
    scopes: [...new Set(own.flatMap((grant) => textsIn(grant["scope"])))],
    audiences: own.map((grant) => textIn(grant, "audience") ?? ""),
    seconds: undefined,
    jwksUri: undefined,
    dpop: false,
    lost: [
      ...lostGrants(types),
      ...(lifetime === undefined ? [] : ["the lifetime of its ID tokens"]),
      ...(own.length > 1 ? ["which of its scopes it has where: see resource_scopes"] : []),
    ],
    unfit: types.includes("client_credentials") ? undefined : NO_MACHINE,
  };
}

const NO_MACHINE = "it gets no tokens for itself (client_credentials)";
/** Scopes of OpenID Connect and of Keycloak's own say nothing to a resource. */
const OPENID = new Set(
  "|openid|offline|offline_access|profile|email|address|phone|roles|web-origins|acr|basic|microprofile-jwt|service_account|organization".split(
    "|",
  ),
);

/** Both ways of a secret are open, as many libraries use the other than is registered. */
function methodsOf(method: string): { methods: string[]; unfit?: string } {
  if (method === "private_key_jwt" || method === "tls_client_auth") return { methods: [method] };
  return { methods: ["client_secret_basic", "client_secret_post"] };
}

function lostGrants(grants: readonly string[]): string[] {
  const others = grants.filter((grant) => grant !== "client_credentials");
  return others.length > 0 ? [`grant types ${others.join(", ")}`] : [];
}

function nameOf(name: string | undefined, id: string): string {
  const text = (name ?? "")
    .replaceAll(/\p{Cc}/gu, " ")
    .trim()
    .slice(0, 200);
  return text === "" ? id : text;
}

/** Whole seconds of Go's `1h30m0s`. */
function goSeconds(text: string | undefined): number | undefined {
  const [whole, hours = "0", minutes = "0", seconds = "0"] =
    /^(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?$/.exec(text ?? "") ?? [];
  const sum = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return whole === undefined || sum === 0 ? undefined : sum;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textIn(object: Json, name: string): string | undefined {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  return typeof value === "string" && value !== "" ? value : undefined;
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

function objectsIn(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** @throws {CliError} */
function listIn(exported: unknown, members: readonly string[]): Json[] {
  const list = Array.isArray(exported)
    ? exported
    : members.map((name) => (isObject(exported) ? exported[name] : undefined)).find(Array.isArray);
  if (list !== undefined) return objectsIn(list);
  throw usageError(`The file holds no list of clients, nor ${members.join(" or ")} with one`);
}
