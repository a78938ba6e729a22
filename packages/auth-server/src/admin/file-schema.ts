/**
 * The file that `daykey plan` and `daykey apply` read, from the schemas of the admin API. Its JSON Schema is
 * kept at packages/cli/daykey-file.schema.json, by which the command line checks files; a test holds both equal.
 */
import { z } from "zod";
import { ASSERTION_ALGORITHMS, GRANT_TYPES } from "@daykey/common/protocol";
import { MAX_LIVE_KEYS } from "../registration/registered-keys-store.ts";
import { newClientKey } from "./client-keys.ts";
import { clientReplacement } from "./client-schema.ts";
import { resourceView } from "./resources.ts";
import { PARAMETERS } from "./route.ts";
import { issuerReplacement, ruleReplacement } from "./trust-schema.ts";

const MAX_THINGS = 100_000;

const registered = clientReplacement.shape;

const resource = z.strictObject({
  ...resourceView.shape,
  owner_client_id: resourceView.shape.owner_client_id.default(null),
});

const key = newClientKey.shape.jwk.extend({ kid: PARAMETERS.kid });

/** What is left out is as the server makes it, but for the members whose description says otherwise. */
const client = z.strictObject({
  client_id: PARAMETERS.client_id,
  name: registered.name,
  auth_methods: registered.auth_methods,
  grant_types: registered.grant_types.default([GRANT_TYPES[0]]),
  scopes: registered.scopes,
  resources: registered.resources,
  resource_scopes: registered.resource_scopes
    .optional()
    .meta({ description: "Left out: as it is at the server." }),
  access_token_seconds: registered.access_token_seconds.default(null),
  refresh_idle_seconds: registered.refresh_idle_seconds.default(null),
  refresh_absolute_seconds: registered.refresh_absolute_seconds.default(null),
  access_token_format: registered.access_token_format.default("jwt"),
  jwks_uri: registered.jwks_uri.default(null),
  require_assertion_typ: registered.require_assertion_typ.default(false),
  dpop: registered.dpop.default("optional"),
  exchange: registered.exchange.default(null),
  tls_client_auth: registered.tls_client_auth.default(null),
  tls_client_certificate_bound_access_tokens:
    registered.tls_client_certificate_bound_access_tokens.default(false),
  quotas: registered.quotas.default([]),
  token_quotas: registered.token_quotas.default([]),
  ext: registered.ext.default({}),
  keys: z.array(key).max(MAX_LIVE_KEYS).optional().meta({
    description: "Its public keys, each with its kid. Left out: as they are at the server.",
  }),
  secret: z.enum(["generated", "imported", "none"]).optional().meta({
    description:
      "Whether a client that is made gets a secret, or one that another server made. Left out: if one of its methods takes one.",
  }),
});

const trustedIssuer = z.strictObject({
  name: PARAMETERS.name,
  iss: issuerReplacement.shape.iss.unwrap(),
  enabled: issuerReplacement.shape.enabled.default(true),
  key_source: issuerReplacement.shape.key_source,
  keys_uri: issuerReplacement.shape.keys_uri.default(null),
  jwks: issuerReplacement.shape.jwks.default(null),
  algorithms: issuerReplacement.shape.algorithms.default([...ASSERTION_ALGORITHMS]),
  max_age_seconds: issuerReplacement.shape.max_age_seconds.default(3600),
  audiences: issuerReplacement.shape.audiences.default([]),
  reusable: issuerReplacement.shape.reusable.default(false),
});

const rule = z.strictObject({
  name: PARAMETERS.name,
  issuer: ruleReplacement.shape.issuer,
  client_id: ruleReplacement.shape.client_id,
  state: ruleReplacement.shape.state.default("enabled"),
  conditions: ruleReplacement.shape.conditions,
  scopes: ruleReplacement.shape.scopes.default(null),
  resources: ruleReplacement.shape.resources.default(null),
  access_token_seconds: ruleReplacement.shape.access_token_seconds.default(null),
  ext: ruleReplacement.shape.ext.default(null),
});

const daykeyFile = z.strictObject({
  label: PARAMETERS.name.meta({ description: "What is made or changed by this file carries it." }),
  resources: z.array(resource).max(MAX_THINGS).default([]),
  clients: z.array(client).max(MAX_THINGS).default([]),
  trust_issuers: z.array(trustedIssuer).max(MAX_THINGS).default([]),
  trust_rules: z.array(rule).max(MAX_THINGS).default([]),
});

/** As JSON Schema (2020-12), of what is written in a file. */
export function daykeyFileSchema(): object {
  return {
    title: "A file of daykey plan and apply",
    ...z.toJSONSchema(daykeyFile, { io: "input" }),
  };
}
