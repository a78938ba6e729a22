/** The admin API (`/admin/v1` of the private listener), as its answers are; integers are bigints. */
import { authorizedFetch } from "@daykey/client/authorized-fetch";
import { createTokenSource } from "@daykey/client/token-source";
import { type Cli, find, insecure } from "./cli.ts";
import { proofBy } from "./proof.ts";
import { CliError, EXIT } from "./exit.ts";
import type { QuotaView } from "./quota-option.ts";
import { accepted, type Answer, ask, objectIn } from "./http.ts";

const ADMIN_SCOPE = "daykey:admin";
const BASE = "/admin/v1";

/** The most items that a page of a list may have. */
export const LARGEST_PAGE = 200;

export interface ClientView {
  client_id: string;
  name: string;
  enabled: boolean;
  epoch: bigint;
  auth_methods: string[];
  grant_types: string[];
  scopes: string[];
  resources: string[];
  access_token_seconds: bigint | null;
  refresh_idle_seconds: bigint | null;
  refresh_absolute_seconds: bigint | null;
  access_token_format: string;
  jwks_uri: string | null;
  require_assertion_typ: boolean;
  dpop: string;
  exchange: ExchangeView | null;
  tls_client_auth: { name: string; value: string } | null;
  tls_client_certificate_bound_access_tokens: boolean;
  quotas: QuotaView[];
  token_quotas: QuotaView[];
  resource_scopes: { resource: string; scopes: string[] }[] | null;
  ext: object;
  created_at: string;
  updated_at: string;
  version: bigint;
}

/** Whose tokens a client may exchange. */
export interface ExchangeView {
  subjects: string[];
  audiences: string[];
  scopes: string[] | null;
  impersonation: boolean;
}

export interface NewSecret {
  client_id: string;
  kid: string;
  salt: string;
  client_secret?: string;
  /** Computed here from a chosen secret: the hex of its Argon2id. Never sent and never shown. */
  root?: string;
  expires_at: string;
}

export interface SecretView {
  kid: string;
  kind: string;
  created_at: string;
  expires_at: string;
  last_used_at: string | null;
  revoked_at: string | null;
  live: boolean;
}

/** The last secret of a client. */
export interface EndingSecretView {
  client_id: string;
  name: string;
  kid: string;
  expires_at: string;
  last_used_at: string | null;
  state: "ending" | "ended";
}

export interface ResourceView {
  uri: string;
  name: string;
  scopes: string[];
  owner_client_id: string | null;
}

export interface KeyView {
  kid: string;
  algorithm: string;
  purpose: string;
  created_at: string;
  active_at: string;
  state: string;
}

export interface AuditView {
  seq: bigint;
  at: string;
  actor: string;
  action: string;
  target: string;
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface AdminRequest {
  query?: Readonly<Record<string, string | undefined>>;
  body?: object;
  /** The ETag that was read. */
  ifMatch?: string | undefined;
}

export interface AdminApi {
  /** The issuer whose clients these are. */
  issuer: string;
  /** What was answered, an object. @throws {CliError} */
  call<T>(method: Method, path: string, request?: AdminRequest): Promise<T>;
  /** With the answer's ETag; or without a body. @throws {CliError} */
  answer(method: Method, path: string, request?: AdminRequest): Promise<Answer>;
}

/** A part of a path. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}

/** With a token for the issuer itself, got when it is first needed. @throws {CliError} */
export async function openAdminApi(cli: Cli): Promise<AdminApi> {
  const { credential, adminUrl } = await find(cli, "admin");
  const { issuer, token_endpoint: tokenEndpoint } = credential;
  const source = createTokenSource({
    issuer,
    tokenEndpoint,
    credential: proofBy("once", credential),
    resource: issuer,
    scope: [ADMIN_SCOPE],
    ...insecure(cli),
  });
  const get = authorizedFetch(source, { origin: adminUrl, ...insecure(cli) });

  const answer: AdminApi["answer"] = async (method, path, { query = {}, body, ifMatch } = {}) => {
    const url = new URL(`${BASE}${path}`, adminUrl);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const headers = {
      ...(body && { "content-type": "application/json" }),
      ...(ifMatch !== undefined && { "if-match": ifMatch }),
    };
    const text = body && JSON.stringify(body);
    const request = async (signal: AbortSignal): Promise<Response> =>
      get(url, { method, headers, signal, ...(text !== undefined && { body: text }) });
    const label = method === "GET" ? "Asking the auth-server" : "Telling the auth-server";
    const answered = await cli.terminal.during(label, () =>
      ask(`The admin API at ${url.origin}`, request),
    );
    return accepted(`${method} ${BASE}${path}`, answered);
  };

  return {
    issuer,
    answer,
    async call<T>(method: Method, path: string, request?: AdminRequest) {
      return objectIn<T>(`${method} ${BASE}${path}`, await answer(method, path, request));
    },
  };
}

type Query = Readonly<Record<string, string | undefined>>;

/** The pages of a list from a cursor on, each asked for when it is wanted. @throws {CliError} */
export async function* eachPage<T>(
  api: AdminApi,
  path: string,
  { query, cursor }: { query: Query; cursor?: string | undefined },
): AsyncGenerator<Page<T>, void, undefined> {
  for (let next: string | null | undefined = cursor; next !== null;) {
    const page: Page<T> = await api.call("GET", path, { query: { ...query, cursor: next } });
    yield page;
    next = page.next_cursor;
  }
}

/**
 * The first page of a list that holds anything, or that and all after it as one. A page of what is rare
 * can be empty with more behind it. @throws {CliError}
 */
export async function pages<T>(
  api: AdminApi,
  path: string,
  { all, ...from }: { query: Query; cursor: string | undefined; all: boolean },
): Promise<Page<T>> {
  const items: T[] = [];
  for await (const page of eachPage<T>(api, path, from)) {
    items.push(...page.items);
    if (!all && items.length > 0) return { items, next_cursor: page.next_cursor };
  }
  return { items, next_cursor: null };
}

/**
 * Ends one secret or key of a list. Whatever its state, the server is asked, for tokens may be left.
 * @param list the path that lists it @throws {CliError} exit 1 also when it had ended before
 */
export async function endOne(
  api: AdminApi,
  list: string,
  { id, member }: { id: string; member: "id" | "kid" },
): Promise<void> {
  const { items } = await api.call<{ items: Ended[] }>("GET", list);
  const before = items.find((item) => item[member] === id);
  await api.answer("POST", `${list}/${segment(id)}/revoke`);
  if (before === undefined) return;
  const { revoked_at: revokedAt, expires_at: expiresAt, live = revokedAt === null } = before;
  if (live) return;
  throw new CliError(
    EXIT.refused,
    revokedAt === null
      ? `${id} had ended by itself before, at ${expiresAt}`
      : `${id} was revoked before, at ${revokedAt}`,
  );
}

interface Ended {
  id?: string;
  kid?: string;
  revoked_at: string | null;
  expires_at?: string | null;
  /** Absent where nothing ends by itself. */
  live?: boolean;
}
