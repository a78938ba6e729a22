/**
 * The admin API: `/admin/v1` on the private listener, for access tokens of the issuer with the scope
 * `daykey:admin`. Every operation is authorized before anything of it is read, and every change is
 * recorded in the audit log by the transaction that makes it.
 */
import type { AccessTokenClaims } from "@daykey/common/access-token";
import type { JsonValue } from "@daykey/common/json-numbers";
import { PATHS } from "@daykey/common/protocol";
import { hasBody } from "@daykey/service/http/body";

import { readQuery } from "@daykey/service/http/input-faults";
import { readJson } from "@daykey/service/http/json-body";
import { problem } from "@daykey/service/http/problem-error";
import { type AppContext, type AppRouter, createRouter } from "@daykey/service/http/router";
import type { AccessKeysStore } from "../access-keys/access-keys-store.ts";
import type { AccessKeyRegistrar } from "../access-keys/register.ts";
import type { ChangeWatcher } from "../changes/watcher.ts";
import type { AuditStore } from "../audit/audit-store.ts";
import { ADMIN_SCOPE } from "../clients/client.ts";
import type { ClientRegistrar } from "../registration/register.ts";
import type { LabelsStore } from "../registration/labels-store.ts";
import type { RegisteredKeysStore } from "../registration/registered-keys-store.ts";
import type { RegistrationsStore } from "../registration/registrations-store.ts";
import type { SecretsStore } from "../registration/secrets-store.ts";
import type { GrantsStore } from "../grants/grants-store.ts";
import type { KeyChanges } from "../keys/key-changes.ts";
import type { ResourcesStore } from "../resources/resources-store.ts";
import type { BearerAuthorizer } from "../issuer-access/bearer.ts";
import type { ExplainToken } from "../issuer-access/explain-token.ts";
import type { RestoreStore } from "../revocation/restore-store.ts";
import type { RevocationsStore } from "../revocation/revocations-store.ts";
import type { Explain } from "../trust/explain.ts";
import type { TrustStore } from "../trust/trust-store.ts";
import type { UsageStore } from "../usage/usage-store.ts";
import { createAccessKeyRoutes } from "./access-keys.ts";
import { createAuditRoutes } from "./audit.ts";
import { createClientKeyRoutes } from "./client-keys.ts";
import { createSecretRoutes } from "./client-secrets.ts";
import { createClientRoutes } from "./clients.ts";
import { COMPONENTS } from "./components.ts";
import { preconditionRequired, readIfMatch } from "./conditions.ts";
import { createEndingSecretRoutes } from "./ending-secrets.ts";
import { readBody } from "./input.ts";
import { createLabelRoutes } from "./labels.ts";
import { createOpenApiDocument } from "./openapi.ts";
import { type Actor, createRecorder } from "./recorder.ts";
import { createResourceRoutes } from "./resources.ts";
import { createRestoreRoutes } from "./restored.ts";
import { createRevocationRoutes } from "./revocations.ts";
import { type Answer, PARAMETERS, type ParameterName, type Route } from "./route.ts";
import { createUsageRoutes } from "./usage.ts";
import { createSigningKeyRoutes } from "./signing-keys.ts";
import { createTokenRoutes } from "./tokens.ts";
import { createTrustIssuerRoutes } from "./trust-issuers.ts";
import { createTrustRuleRoutes } from "./trust-rules.ts";

export const PREFIX = "/admin/v1";

/** A secret of 400 days, brought as verifiers, is 27 KB. */
const BODY_BYTES = 65_536;

export interface AdminDependencies {
  /** @throws {OAuthError} with the challenge of RFC 6750 §3 */
  bearer: BearerAuthorizer;
  registrations: RegistrationsStore;
  registrar: ClientRegistrar;
  secrets: SecretsStore;
  clientKeys: RegisteredKeysStore;
  labels: LabelsStore;
  accessKeys: AccessKeysStore;
  accessKeyRegistrar: AccessKeyRegistrar;
  resources: ResourcesStore;
  keys: KeyChanges;
  grants: GrantsStore;
  revocations: RevocationsStore;
  restorations: RestoreStore;
  trust: TrustStore;
  explain: Explain;
  explainToken: ExplainToken;
  usage: UsageStore;
  audit: AuditStore;
  watcher: Pick<ChangeWatcher, "look">;
  issuer: string;
  /** How long a signing key is published before its first use. */
  keyOverlapSeconds: number;
  refreshAbsoluteMaxSeconds: number;
  accessTokenMaxSeconds: number;
  allowPrivateJwksUri: boolean;
}

/** Every operation, as data. @param own those of a feature that serves more than the admin API */
export function createAdminRoutes(dependencies: AdminDependencies, own: readonly Route[]): Route[] {
  const { audit } = dependencies;
  const recorder = createRecorder(audit);
  const registeredUri = async (uri: string): Promise<string> =>
    (await dependencies.resources.find(uri))?.uri ?? uri;
  return [
    ...createClientRoutes({ ...dependencies, registeredUri, recorder }),
    ...createSecretRoutes({ ...dependencies, recorder }),
    ...createEndingSecretRoutes(dependencies),
    ...createClientKeyRoutes({ keys: dependencies.clientKeys, recorder }),
    ...createAccessKeyRoutes({ ...dependencies, recorder }),
    ...createResourceRoutes({ ...dependencies, recorder }),
    ...createTrustIssuerRoutes({ ...dependencies, recorder }),
    ...createTrustRuleRoutes({ ...dependencies, registeredUri, recorder }),
    ...createLabelRoutes({ labels: dependencies.labels, recorder }),
    ...createSigningKeyRoutes({
      keys: dependencies.keys,
      aheadSeconds: dependencies.keyOverlapSeconds,
      recorder,
    }),
    ...createRevocationRoutes({
      ...dependencies,
      longestGrantSeconds: dependencies.refreshAbsoluteMaxSeconds,
      recorder,
    }),
    ...createTokenRoutes(dependencies),
    ...createRestoreRoutes({ ...dependencies, recorder }),
    ...createUsageRoutes({ ...dependencies, registeredUri }),
    ...createAuditRoutes(audit),
    ...own,
  ];
}

export function createAdminRouter(
  routes: readonly Route[],
  { bearer, issuer, watcher }: Pick<AdminDependencies, "bearer" | "issuer" | "watcher">,
): AppRouter {
  const router = createRouter();
  for (const route of routes) {
    const path = `${PREFIX}${route.path.replaceAll(/\{(\w+)\}/g, ":$1")}`;
    router[route.method](path, async (ctx) => serve(ctx, route));
  }

  const document = createOpenApiDocument({
    routes,
    components: COMPONENTS,
    prefix: PREFIX,
    scope: ADMIN_SCOPE,
    tokenUrl: `${issuer}${PATHS.token}`,
  });
  // It says nothing of this installation, and tools read it before they have a token.
  router.get(`${PREFIX}/openapi.json`, (ctx) => {
    ctx.body = document;
  });
  return router;

  async function serve(ctx: AppContext, route: Route): Promise<void> {
    const { logFields } = ctx.state;
    ctx.set("Cache-Control", "no-store");
    logFields.action = route.operationId;
    const rights = await bearer.authorize(ctx.req.headers, ADMIN_SCOPE);
    const answer = await perform(
      route,
      {
        actor: actorOf(rights, logFields),
        params: (ctx as unknown as { params: Record<string, string> }).params,
        search: ctx.querystring,
        ifMatch: ctx.req.headers["if-match"],
        body: async () => readJsonOf(ctx, route),
      },
      watcher,
    );
    ctx.status = route.status;
    if (answer.etag !== undefined) ctx.set("ETag", answer.etag);
    if (answer.location !== undefined) ctx.set("Location", `${PREFIX}${answer.location}`);
    ctx.body = answer.body ?? null;
    ctx.status = route.status;
  }
}

/** What a caller asks for, before it is read into what the route takes. */
export interface Wish {
  actor: Actor;
  params: Readonly<Record<string, string>>;
  /** The query, as a URL has it. */
  search: string;
  ifMatch: string | undefined;
  /** Asked for once all else was good; an empty object where there is none. */
  body: () => Promise<JsonValue>;
}

/**
 * Reads a wish, does what it asks for, and waits until this process knows of the change.
 * @throws {ProblemError} when it does not fit the route, and what the route throws
 */
export async function perform(
  route: Route,
  { actor, params, search, ifMatch, body }: Wish,
  watcher: Pick<ChangeWatcher, "look">,
): Promise<Answer> {
  const answer = await route.handle({
    actor,
    params: checkedParams(params),
    query: route.query ? readQuery(route.query, search) : {},
    ifMatch: ifMatchOf(ifMatch, route),
    body: route.body && readBody(route.body, await body()),
  });
  // What this server has answered it knows itself.
  if (route.method !== "get") await watcher.look();
  return answer;
}

/** Who acts, on the request's log line too. */
export function actorOf(
  rights: Readonly<AccessTokenClaims>,
  logFields: Record<string, unknown>,
): Actor {
  const { client_id: clientId } = rights;
  logFields.actor = clientId;
  if (rights.anc) logFields.onBehalfOf = rights.sub;
  return { clientId, rights, note: (fields) => void Object.assign(logFields, fields) };
}

/** An id that cannot be is not there, and never reaches a store. */
function checkedParams(params: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(params)) {
    if (!PARAMETERS[name as ParameterName].safeParse(value).success) {
      throw problem("malformed-id", { detail: `The ${name} in the path has not the form of one.` });
    }
  }
  return params;
}

function ifMatchOf(header: string | undefined, { ifMatch }: Route) {
  const read = ifMatch && readIfMatch(header);
  if (ifMatch === "required" && read === undefined) throw preconditionRequired();
  return read;
}

async function readJsonOf(ctx: AppContext, { bodyOptional }: Route): Promise<JsonValue> {
  if (bodyOptional === true && !hasBody(ctx.req)) return {};
  return readJson(ctx.req, { limitBytes: BODY_BYTES });
}
