/** A client as the admin API shows it, and as it takes it back. */
import { z } from "zod";
import { formatInstant } from "@daykey/common/clock";
import { AUTH_METHODS, GRANT_TYPES } from "@daykey/common/protocol";
import {
  ACCESS_TOKEN_FORMATS,
  CERTIFICATE_NAMES,
  type ClientRegistration,
  DPOP_MODES,
  type ExchangeRights,
} from "../clients/client.ts";
import type { RegisteredClient } from "../registration/registrations-store.ts";
import { PARAMETERS } from "./route.ts";
import { quotaList, quotasViewOf, tokenQuotaList, tokenQuotasViewOf } from "./quota-schema.ts";
import { secretBody } from "./secret-schema.ts";
import { ext, instant, text } from "./schema-parts.ts";

const words = z.array(text(2048)).min(1).max(200);
/** Bounds of a PostgreSQL integer; the server's own limits are narrower. */
const life = z.int().min(1).max(2_147_483_647).nullable();

const exchangeRights = z.strictObject({
  subjects: words,
  audiences: z.array(text(2048)).max(200).default([]),
  scopes: words.nullable().default(null),
  impersonation: z.boolean().default(false),
});

/** What an operator decides. */
const registration = {
  name: text(200),
  auth_methods: z.array(z.enum(AUTH_METHODS)).min(1),
  grant_types: z.array(z.enum(GRANT_TYPES)).min(1),
  scopes: words,
  resources: words,
  /** Null: each scope at each of the resources that defines it. */
  resource_scopes: z
    .array(z.strictObject({ resource: text(2048), scopes: z.array(text(2048)).max(200) }))
    .max(200)
    .nullable(),
  access_token_seconds: life,
  refresh_idle_seconds: life,
  refresh_absolute_seconds: life,
  access_token_format: z.enum(ACCESS_TOKEN_FORMATS),
  jwks_uri: z.string().max(2048).nullable(),
  require_assertion_typ: z.boolean(),
  dpop: z.enum(DPOP_MODES),
  exchange: exchangeRights.nullable(),
  tls_client_auth: z
    .strictObject({ name: z.enum(CERTIFICATE_NAMES), value: text(2048) })
    .nullable(),
  tls_client_certificate_bound_access_tokens: z.boolean(),
  quotas: quotaList,
  token_quotas: tokenQuotaList,
  ext,
};

/** What only the server decides; it may be sent back as it was read. */
const state = {
  client_id: PARAMETERS.client_id,
  enabled: z.boolean(),
  epoch: z.int().min(0),
  created_at: instant,
  updated_at: instant,
  version: z.int().min(1),
};
const STATE_MEMBERS = Object.keys(state) as (keyof typeof state)[];

export const clientView = z.strictObject({ ...registration, ...state });
export type ClientView = z.infer<typeof clientView>;

export const clientReplacement = z.strictObject({
  ...registration,
  ...z.object(state).partial().shape,
});

/** RFC 7396: what is left out stays as it is. */
export const clientPatch = clientReplacement.partial();
export type ClientPatch = z.infer<typeof clientPatch>;

export const newClient = z.strictObject({
  client_id: state.client_id.optional(),
  ...registration,
  ...z
    .object(registration)
    .pick({
      resource_scopes: true,
      access_token_seconds: true,
      refresh_idle_seconds: true,
      refresh_absolute_seconds: true,
      access_token_format: true,
      jwks_uri: true,
      require_assertion_typ: true,
      dpop: true,
      exchange: true,
      tls_client_auth: true,
      tls_client_certificate_bound_access_tokens: true,
      quotas: true,
      token_quotas: true,
      ext: true,
    })
    .partial().shape,
  secret: secretBody.nullable().optional(),
});

export function viewOf(client: RegisteredClient): ClientView {
  return {
    client_id: client.clientId,
    name: client.name,
    enabled: client.enabled,
    epoch: client.epoch,
    auth_methods: [...client.authMethods],
    grant_types: [...client.grantTypes],
    scopes: [...client.scopes],
    resources: [...client.resources],
    resource_scopes:
      client.resourceScopes?.map(({ resource, scopes }) => ({ resource, scopes: [...scopes] })) ??
      null,
    access_token_seconds: client.accessTokenSeconds ?? null,
    refresh_idle_seconds: client.refreshIdleSeconds ?? null,
    refresh_absolute_seconds: client.refreshAbsoluteSeconds ?? null,
    access_token_format: client.accessTokenFormat,
    jwks_uri: client.jwksUri ?? null,
    require_assertion_typ: client.requireAssertionTyp,
    dpop: client.dpop,
    exchange: client.exchange ? exchangeViewOf(client.exchange) : null,
    tls_client_auth: client.tlsClientAuth ?? null,
    tls_client_certificate_bound_access_tokens: client.certificateBound,
    quotas: quotasViewOf(client.quotas),
    token_quotas: tokenQuotasViewOf(client.tokenQuotas),
    ext: client.ext,
    created_at: formatInstant(client.createdAt),
    updated_at: formatInstant(client.updatedAt),
    version: client.version,
  };
}

function exchangeViewOf({ subjects, audiences, scopes, impersonation }: ExchangeRights) {
  return {
    subjects: [...subjects],
    audiences: [...audiences],
    scopes: scopes ? [...scopes] : null,
    impersonation,
  };
}

function exchangeOf({ scopes, ...rights }: z.infer<typeof exchangeRights>): ExchangeRights {
  return { ...rights, ...(scopes && { scopes }) };
}

/** The registration in a body; what is left out of it becomes the server's setting. */
export function registrationOf(
  clientId: string,
  body: Omit<z.infer<typeof newClient>, "client_id" | "secret">,
): ClientRegistration {
  return {
    clientId,
    name: body.name,
    authMethods: body.auth_methods,
    grantTypes: body.grant_types,
    scopes: body.scopes,
    resources: body.resources,
    resourceScopes: body.resource_scopes ?? undefined,
    accessTokenSeconds: body.access_token_seconds ?? undefined,
    refreshIdleSeconds: body.refresh_idle_seconds ?? undefined,
    refreshAbsoluteSeconds: body.refresh_absolute_seconds ?? undefined,
    accessTokenFormat: body.access_token_format ?? "jwt",
    jwksUri: body.jwks_uri ?? undefined,
    requireAssertionTyp: body.require_assertion_typ ?? false,
    dpop: body.dpop ?? "optional",
    exchange: body.exchange ? exchangeOf(body.exchange) : undefined,
    tlsClientAuth: body.tls_client_auth ?? undefined,
    certificateBound: body.tls_client_certificate_bound_access_tokens ?? false,
    quotas: body.quotas ?? [],
    tokenQuotas: body.token_quotas ?? [],
    ext: body.ext ?? {},
  };
}

/** The member of the server's that a body would have otherwise, or undefined. */
export function changedState(view: ClientView, patch: ClientPatch): string | undefined {
  return STATE_MEMBERS.find((name) => patch[name] !== undefined && patch[name] !== view[name]);
}
