/** Trusted issuers and rules as rows. */
import type { JWK } from "jose";
import type { Ext } from "@daykey/common/access-token";
import type { AssertionAlgorithm } from "@daykey/common/protocol";
import { fromRowUri } from "../resources/resources-store.ts";
import type { Condition, Rule, RuleState } from "./rule.ts";
import type { IssuerRegistration, KeySource, TrustedIssuer } from "./trusted-issuer.ts";

export interface IssuerRow {
  name: string;
  iss: string;
  enabled: boolean;
  key_source: KeySource;
  keys_uri: string | null;
  jwks: JWK[] | null;
  algorithms: AssertionAlgorithm[];
  max_age_seconds: number;
  audiences: string[];
  reusable: boolean;
  version: number;
  created_at: number;
  updated_at: number;
}

export interface RuleRow {
  name: string;
  issuer: string;
  client_id: string;
  state: RuleState;
  conditions: Condition[];
  scopes: string[] | null;
  resources: string[] | null;
  access_token_seconds: number | null;
  ext: Ext | null;
  cred: string;
  version: number;
  created_at: number;
  updated_at: number;
}

const TIMES = `version, extract(epoch from created_at)::float8 as created_at,
  extract(epoch from updated_at)::float8 as updated_at`;
export const ISSUER = `name, iss, enabled, key_source, keys_uri, jwks, algorithms, max_age_seconds, audiences,
  reusable, ${TIMES}`;
export const RULE = `name, issuer, client_id, state, conditions, scopes, resources, access_token_seconds, ext, cred,
  ${TIMES}`;

export function issuerValues(issuer: IssuerRegistration): unknown[] {
  return [
    issuer.name,
    issuer.iss,
    issuer.enabled,
    issuer.keySource,
    issuer.keysUri ?? null,
    issuer.jwks ? JSON.stringify(issuer.jwks) : null,
    issuer.algorithms,
    issuer.maxAgeSeconds,
    issuer.audiences,
    issuer.reusable,
  ];
}

export function issuerOf(row: IssuerRow): TrustedIssuer {
  return {
    name: row.name,
    iss: row.iss,
    enabled: row.enabled,
    keySource: row.key_source,
    keysUri: row.keys_uri ?? undefined,
    jwks: row.jwks ?? undefined,
    algorithms: row.algorithms,
    maxAgeSeconds: row.max_age_seconds,
    audiences: row.audiences,
    reusable: row.reusable,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

export function ruleOf(row: RuleRow, ownIssuer: string): Rule {
  return {
    name: row.name,
    issuer: row.issuer,
    clientId: row.client_id,
    state: row.state,
    conditions: row.conditions,
    scopes: row.scopes ?? undefined,
    resources: row.resources?.map((uri) => fromRowUri(uri, ownIssuer)),
    accessTokenSeconds: row.access_token_seconds ?? undefined,
    ext: row.ext ?? undefined,
    cred: row.cred,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
