/** Trusted issuers and rules as the admin API shows them, and as it takes them back. */
import type { JWK } from "jose";
import { z } from "zod";
import { formatInstant } from "@daykey/common/clock";
import { ASSERTION_ALGORITHMS } from "@daykey/common/protocol";
import { registrableKey } from "../clients/client-key.ts";
import {
  MAX_AGE_SECONDS,
  MAX_CONDITIONS,
  MAX_GLOB_LENGTH,
  MAX_VALUES,
  MIN_AGE_SECONDS,
} from "../trust/register.ts";
import { type Rule, RULE_STATES, type RuleRegistration } from "../trust/rule.ts";
import {
  type IssuerRegistration,
  KEY_SOURCES,
  type TrustedIssuer,
} from "../trust/trusted-issuer.ts";
import { PARAMETERS } from "./route.ts";
import { ext, instant, pageOf, pageQuery, text } from "./schema-parts.ts";

const MAX_KEYS = 20;
const DEFAULT_AGE_SECONDS = 3600;

/** What only the server decides; it may be sent back as it was read. */
const state = { version: z.int().min(1), created_at: instant, updated_at: instant };

const issuerMembers = {
  enabled: z.boolean(),
  key_source: z.enum(KEY_SOURCES),
  keys_uri: text(2048).nullable(),
  /** A key set (RFC 7517 §5). Of each key the public members, kid and alg are kept. */
  jwks: z.looseObject({ keys: z.array(z.looseObject({})).min(1).max(MAX_KEYS) }).nullable(),
  algorithms: z.array(z.enum(ASSERTION_ALGORITHMS)).min(1),
  /** Seconds since a token was made; without its iat, until it ends. */
  max_age_seconds: z.int().min(MIN_AGE_SECONDS).max(MAX_AGE_SECONDS),
  /** What its tokens are for; none: this server's issuer. */
  audiences: z.array(text(2048)).max(10),
  /** Whether a token with a jti may be used more than once. */
  reusable: z.boolean(),
};

export const issuerView = z.strictObject({
  name: PARAMETERS.name,
  iss: text(512),
  ...issuerMembers,
  ...state,
});
export const issuerPage = pageOf(issuerView);

export const issuerReplacement = z.strictObject({
  ...issuerMembers,
  ...z.object({ name: PARAMETERS.name, iss: text(512), ...state }).partial().shape,
});

export const newIssuer = z.strictObject({
  name: PARAMETERS.name,
  iss: text(512),
  key_source: issuerMembers.key_source,
  ...z.object(issuerMembers).omit({ key_source: true }).partial().shape,
});

export const conditionView = z.strictObject({
  /** The name of a claim, or a JSON Pointer (RFC 6901) such as `/kubernetes.io/namespace`. */
  claim: text(512),
  /** The claim, or a member of the list that it is, is one of these. */
  one_of: z.array(text(2048)).min(1).max(MAX_VALUES).optional(),
  /** `*`: any characters but `/` and `:`; `**`: any at all. */
  glob: text(MAX_GLOB_LENGTH).optional(),
});

const ruleMembers = {
  issuer: PARAMETERS.name,
  client_id: PARAMETERS.client_id,
  state: z.enum(RULE_STATES),
  conditions: z.array(conditionView).min(1).max(MAX_CONDITIONS),
  scopes: z.array(text(2048)).min(1).max(200).nullable(),
  resources: z.array(text(2048)).min(1).max(200).nullable(),
  access_token_seconds: z.int().min(1).max(2_147_483_647).nullable(),
  /** Claims for services; `${name}` in a text stands for a claim of the assertion. Null: the client's. */
  ext: ext.nullable(),
};

/** What its tokens name as their credential (`cred`); another one once they were ended. */
const cred = z.string();

export const ruleView = z.strictObject({ name: PARAMETERS.name, ...ruleMembers, cred, ...state });
export const rulePage = pageOf(ruleView);
export const ruleQuery = z.strictObject({
  ...pageQuery.shape,
  issuer: PARAMETERS.name.optional(),
  client_id: PARAMETERS.client_id.optional(),
});

export const ruleReplacement = z.strictObject({
  ...ruleMembers,
  ...z.object({ name: PARAMETERS.name, cred, ...state }).partial().shape,
});

export const newRule = z.strictObject({
  name: PARAMETERS.name,
  issuer: ruleMembers.issuer,
  client_id: ruleMembers.client_id,
  conditions: ruleMembers.conditions,
  ...z
    .object(ruleMembers)
    .pick({ state: true, scopes: true, resources: true, access_token_seconds: true, ext: true })
    .partial().shape,
});

type IssuerBody = Omit<z.infer<typeof newIssuer>, "name" | "iss">;
type RuleBody = Omit<z.infer<typeof newRule>, "name">;

export function issuerViewOf(issuer: TrustedIssuer): z.infer<typeof issuerView> {
  return {
    name: issuer.name,
    iss: issuer.iss,
    enabled: issuer.enabled,
    key_source: issuer.keySource,
    keys_uri: issuer.keysUri ?? null,
    jwks: issuer.jwks ? { keys: issuer.jwks.map((jwk) => ({ ...jwk })) } : null,
    algorithms: [...issuer.algorithms],
    max_age_seconds: issuer.maxAgeSeconds,
    audiences: [...issuer.audiences],
    reusable: issuer.reusable,
    ...stateOf(issuer),
  };
}

export function ruleViewOf(rule: Rule): z.infer<typeof ruleView> {
  return {
    name: rule.name,
    issuer: rule.issuer,
    client_id: rule.clientId,
    state: rule.state,
    conditions: rule.conditions.map(({ claim, values, glob }) => ({
      claim,
      ...(values && { one_of: [...values] }),
      ...(glob !== undefined && { glob }),
    })),
    scopes: rule.scopes ? [...rule.scopes] : null,
    resources: rule.resources ? [...rule.resources] : null,
    access_token_seconds: rule.accessTokenSeconds ?? null,
    ext: rule.ext ?? null,
    cred: rule.cred,
    ...stateOf(rule),
  };
}

function stateOf({
  version,
  createdAt,
  updatedAt,
}: Pick<Rule, "version" | "createdAt" | "updatedAt">) {
  return { version, created_at: formatInstant(createdAt), updated_at: formatInstant(updatedAt) };
}

/** @throws {ProblemError} 400 for a key that verifies no assertion */
export function issuerOf(name: string, iss: string, body: IssuerBody): IssuerRegistration {
  return {
    name,
    iss,
    enabled: body.enabled ?? true,
    keySource: body.key_source,
    keysUri: body.keys_uri ?? undefined,
    jwks: body.jwks?.keys.map(publicJwkOf),
    algorithms: body.algorithms ?? ASSERTION_ALGORITHMS,
    maxAgeSeconds: body.max_age_seconds ?? DEFAULT_AGE_SECONDS,
    audiences: body.audiences ?? [],
    reusable: body.reusable ?? false,
  };
}

/** A SPIFFE bundle says what its keys are for in its own words. */
function publicJwkOf(jwk: Record<string, unknown>): JWK {
  const isSvid = jwk["use"] === "jwt-svid";
  return registrableKey(isSvid ? { ...jwk, use: "sig" } : jwk).publicJwk;
}

export function ruleOf(name: string, body: RuleBody): RuleRegistration {
  return {
    name,
    issuer: body.issuer,
    clientId: body.client_id,
    state: body.state ?? "enabled",
    conditions: body.conditions.map(({ claim, one_of: values, glob }) => ({
      claim,
      ...(values && { values }),
      ...(glob !== undefined && { glob }),
    })),
    scopes: body.scopes ?? undefined,
    resources: body.resources ?? undefined,
    accessTokenSeconds: body.access_token_seconds ?? undefined,
    ext: body.ext ?? undefined,
  };
}
