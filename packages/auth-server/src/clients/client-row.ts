/** A client's registration as a row of `clients`: what the stores that read and write it share. */
import type { Ext } from "@daykey/common/access-token";
import type { AuthMethod, GrantType } from "@daykey/common/protocol";
import { readQuotas } from "@daykey/common/quota";
import { fromRowUri, toRowUri } from "../resources/resources-store.ts";
import type {
  AccessTokenFormat,
  CertificateName,
  ClientRegistration,
  DpopMode,
  ExchangeRights,
  ScopesAtResource,
} from "./client.ts";

export interface RegistrationRow {
  client_id: string;
  name: string;
  enabled: boolean;
  epoch: number;
  auth_methods: AuthMethod[];
  grant_types: GrantType[];
  scopes: string[];
  resources: string[];
  /** As it was written: jsonb. */
  resource_scopes: ScopesAtResource[] | null;
  access_token_seconds: number | null;
  refresh_idle_seconds: number | null;
  refresh_absolute_seconds: number | null;
  access_token_format: AccessTokenFormat;
  jwks_uri: string | null;
  require_assertion_typ: boolean;
  dpop: DpopMode;
  /** As it was written: jsonb. */
  exchange: ExchangeRights | null;
  tls_client_auth: CertificateName | null;
  certificate_bound: boolean;
  quotas: unknown;
  token_quotas: unknown;
  ext: Ext;
}

export function fromRowScopes(
  list: readonly ScopesAtResource[] | null,
  issuer: string,
): ScopesAtResource[] | undefined {
  return list?.map(({ resource, scopes }) => ({ resource: fromRowUri(resource, issuer), scopes }));
}

/** The rights with the URI of each resource as `of` has it. */
function withAudiences(
  rights: ExchangeRights | null | undefined,
  of: (uri: string) => string,
): ExchangeRights | undefined {
  return rights ? { ...rights, audiences: rights.audiences.map(of) } : undefined;
}

export function fromRegistrationRow(row: RegistrationRow, issuer: string) {
  return {
    clientId: row.client_id,
    name: row.name,
    enabled: row.enabled,
    epoch: row.epoch,
    authMethods: row.auth_methods,
    grantTypes: row.grant_types,
    scopes: row.scopes,
    resources: row.resources.map((uri) => fromRowUri(uri, issuer)),
    resourceScopes: fromRowScopes(row.resource_scopes, issuer),
    accessTokenSeconds: row.access_token_seconds ?? undefined,
    refreshIdleSeconds: row.refresh_idle_seconds ?? undefined,
    refreshAbsoluteSeconds: row.refresh_absolute_seconds ?? undefined,
    accessTokenFormat: row.access_token_format,
    jwksUri: row.jwks_uri ?? undefined,
    requireAssertionTyp: row.require_assertion_typ,
    dpop: row.dpop,
    exchange: withAudiences(row.exchange, (uri) => fromRowUri(uri, issuer)),
    tlsClientAuth: row.tls_client_auth ?? undefined,
    certificateBound: row.certificate_bound,
    quotas: readQuotas(row.quotas) ?? [],
    tokenQuotas: readQuotas(row.token_quotas) ?? [],
    ext: row.ext,
  };
}

/** What an operator decides, by column; the id is not among it, as nothing changes it. */
export function toRegistrationRow(
  registration: ClientRegistration,
  issuer: string,
): Readonly<Record<Exclude<keyof RegistrationRow, "client_id" | "enabled" | "epoch">, unknown>> {
  return {
    name: registration.name,
    auth_methods: registration.authMethods,
    grant_types: registration.grantTypes,
    scopes: registration.scopes,
    resources: registration.resources.map((uri) => toRowUri(uri, issuer)),
    resource_scopes: registration.resourceScopes
      ? JSON.stringify(
          registration.resourceScopes.map(({ resource, scopes }) => ({
            resource: toRowUri(resource, issuer),
            scopes,
          })),
        )
      : null,
    access_token_seconds: registration.accessTokenSeconds ?? null,
    refresh_idle_seconds: registration.refreshIdleSeconds ?? null,
    refresh_absolute_seconds: registration.refreshAbsoluteSeconds ?? null,
    access_token_format: registration.accessTokenFormat ?? "jwt",
    jwks_uri: registration.jwksUri ?? null,
    quotas: JSON.stringify(registration.quotas ?? []),
    token_quotas: JSON.stringify(registration.tokenQuotas ?? []),
    ext: JSON.stringify(registration.ext ?? {}),
    require_assertion_typ: registration.requireAssertionTyp ?? false,
    dpop: registration.dpop ?? "optional",
    exchange: registration.exchange
      ? JSON.stringify(withAudiences(registration.exchange, (uri) => toRowUri(uri, issuer)))
      : null,
    tls_client_auth: registration.tlsClientAuth ? JSON.stringify(registration.tlsClientAuth) : null,
    certificate_bound: registration.certificateBound ?? false,
  };
}
