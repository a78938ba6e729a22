/** A client's registration as a row of `clients`: what the stores that read and write it share. */
import type { AuthMethod, GrantType } from "@daykey/common/protocol";
import { readQuotas } from "@daykey/common/quota";
import { fromRowUri, toRowUri } from "../resources/resources-store.ts";
import type { AccessTokenFormat, ClientRegistration } from "./client.ts";

export interface RegistrationRow {
  client_id: string;
  name: string;
  enabled: boolean;
  epoch: number;
  auth_methods: AuthMethod[];
  grant_types: GrantType[];
  scopes: string[];
  resources: string[];
  access_token_seconds: number | null;
  refresh_idle_seconds: number | null;
  refresh_absolute_seconds: number | null;
  access_token_format: AccessTokenFormat;
  jwks_uri: string | null;
  require_assertion_typ: boolean;
  quotas: unknown;
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
    accessTokenSeconds: row.access_token_seconds ?? undefined,
    refreshIdleSeconds: row.refresh_idle_seconds ?? undefined,
    refreshAbsoluteSeconds: row.refresh_absolute_seconds ?? undefined,
    accessTokenFormat: row.access_token_format,
    jwksUri: row.jwks_uri ?? undefined,
    requireAssertionTyp: row.require_assertion_typ,
    quotas: readQuotas(row.quotas) ?? [],
  };
}

/** In the order client_id, name, methods, grant types, scopes, resources, three lifetimes, format, jwks_uri, quotas, typ. */
export function registrationValues(registration: ClientRegistration, issuer: string): unknown[] {
  return [
    registration.clientId,
    registration.name,
    registration.authMethods,
    registration.grantTypes,
    registration.scopes,
    registration.resources.map((uri) => toRowUri(uri, issuer)),
    registration.accessTokenSeconds ?? null,
    registration.refreshIdleSeconds ?? null,
    registration.refreshAbsoluteSeconds ?? null,
    registration.accessTokenFormat ?? "jwt",
    registration.jwksUri ?? null,
    JSON.stringify(registration.quotas ?? []),
    registration.requireAssertionTyp ?? false,
  ];
}
