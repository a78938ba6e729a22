/** `/trust/rules`: which workloads become which client, and `/trust/explain`, why one does or does not. */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { problem, type ProblemError } from "@daykey/service/http/problem-error";
import type { RegistrationsStore } from "../registration/registrations-store.ts";
import type { Explain } from "../trust/explain.ts";
import { ruleFault } from "../trust/register.ts";
import { type Rule, RULE_STATES, type RuleRegistration } from "../trust/rule.ts";
import { MAX_ALIKE_RULES, MAX_RULES, type TrustStore } from "../trust/trust-store.ts";
import { requireMatch } from "./conditions.ts";
import type { Recorder } from "./recorder.ts";
import { type Answer, PARAMETERS, route, type Route } from "./route.ts";
import { DEFAULT_PAGE, ext } from "./schema-parts.ts";
import { nameAfter, pageFrom, requireSameState, versionTag } from "./trust-page.ts";
import {
  newRule,
  ruleOf,
  rulePage,
  ruleQuery,
  ruleReplacement,
  ruleView,
  ruleViewOf,
} from "./trust-schema.ts";

const tag = "trust";

export const explainRequest = z.strictObject({
  /** The assertion. It is neither used up nor logged. */
  token: z.string().regex(/^[\x21-\x7e]{1,16384}$/, "must be a token: ASCII without a space"),
  /** The client that would be asked for. */
  client_id: PARAMETERS.client_id.optional(),
});

export const explanationView = z.strictObject({
  issuer: PARAMETERS.name.nullable(),
  /** A reason of the log; null: it would be let in. */
  refused: z.string().nullable(),
  /** None unless the issuer signed it. */
  rules: z.array(
    z.strictObject({
      rule: PARAMETERS.name,
      client_id: PARAMETERS.client_id,
      state: z.enum(RULE_STATES),
      /** The first condition that is not met; null: the rule fits. */
      unmet: z
        .strictObject({ claim: z.string(), wanted: z.string(), found: z.string() })
        .nullable(),
    }),
  ),
  /** What it would get. */
  result: z
    .strictObject({
      rule: PARAMETERS.name,
      client_id: PARAMETERS.client_id,
      scopes: z.array(z.string()),
      resources: z.array(z.string()),
      access_token_seconds: z.int(),
      ext,
    })
    .nullable(),
});

export function createTrustRuleRoutes({
  trust,
  registrations,
  explain,
  registeredUri,
  accessTokenMaxSeconds,
  recorder,
}: {
  trust: TrustStore;
  registrations: Pick<RegistrationsStore, "read">;
  explain: Explain;
  /** The URI as it is registered, of an equivalent one. */
  registeredUri: (uri: string) => Promise<string>;
  accessTokenMaxSeconds: number;
  recorder: Recorder;
}): Route[] {
  /** With resources as they are registered. @throws {ProblemError} 400 */
  async function checked(rule: RuleRegistration): Promise<RuleRegistration> {
    const client = await registrations.read(rule.clientId);
    if (!client) throw invalid("client_id is no client.");
    const resources = rule.resources && (await Promise.all(rule.resources.map(registeredUri)));
    const wanted = { ...rule, resources };
    const fault = ruleFault(wanted, { client, accessTokenMaxSeconds });
    if (fault !== undefined) throw invalid(fault);
    return wanted;
  }

  function made<T extends object>(outcome: T | "no_issuer" | "no_client"): T {
    if (outcome === "no_issuer") throw invalid("issuer is no trusted issuer.");
    if (outcome === "no_client") throw invalid("client_id is no client.");
    return outcome;
  }

  return [
    route({
      method: "get",
      path: "/trust/rules",
      operationId: "listTrustRules",
      tag,
      summary: "A page of rules, by name",
      query: ruleQuery,
      status: 200,
      answer: rulePage,
      async handle({ query: { limit = DEFAULT_PAGE, cursor, issuer, client_id: clientId } }) {
        const after = nameAfter(cursor);
        const found = await trust.listRules({ limit: limit + 1, after, issuer, clientId });
        return { body: pageFrom(found, limit, ruleViewOf) };
      },
    }),

    route({
      method: "post",
      path: "/trust/rules",
      operationId: "createTrustRule",
      tag,
      summary: "Make a client of an issuer's workloads",
      body: newRule,
      status: 201,
      answer: ruleView,
      etag: true,
      problems: [409],
      async handle({ actor, body: { name, ...body } }) {
        const record = recorder({ actor, action: "trust_rule.create", target: name });
        const outcome = await trust.createRule(
          await checked(ruleOf(name, body)),
          async (tx, after) => record(tx, null, factsOf(after)),
        );
        if (outcome === "exists") throw problem("trust-rule-exists");
        if (outcome === "full")
          throw problem("too-many-rules", { detail: `At most ${MAX_RULES} of an issuer.` });
        if (outcome === "alike") throw tooAlike();
        return { ...answerOf(made(outcome)), location: `/trust/rules/${name}` };
      },
    }),

    route({
      method: "get",
      path: "/trust/rules/{name}",
      operationId: "readTrustRule",
      tag,
      summary: "A rule",
      status: 200,
      answer: ruleView,
      etag: true,
      problems: [404],
      async handle({ params: { name } }) {
        const found = await trust.readRule(name);
        if (!found) throw unknownRule();
        return answerOf(found);
      },
    }),

    route({
      method: "put",
      path: "/trust/rules/{name}",
      operationId: "replaceTrustRule",
      tag,
      summary: "Replace all of a rule but its name; one that lets in less ends its tokens",
      body: ruleReplacement,
      ifMatch: "required",
      status: 200,
      answer: ruleView,
      etag: true,
      problems: [404, 409],
      async handle({ actor, params: { name }, ifMatch, body }) {
        const wanted = ruleOf(name, body);
        // A rule can be turned off whatever has become of its client.
        const rule = wanted.state === "disabled" ? wanted : await checked(wanted);
        const changed = await trust.changeRule(
          name,
          (before) => {
            requireMatch(ifMatch, versionTag(before));
            const view = ruleViewOf(before);
            requireSameState(view, body, STATE);
            const after = ruleViewOf({ ...before, ...rule });
            return isDeepStrictEqual(after, view) ? undefined : rule;
          },
          async (tx, before, after) => {
            const isEnd = before.state === "enabled" && after.state === "disabled";
            const action = isEnd ? "trust_rule.disable" : "trust_rule.change";
            await recorder({ actor, action, target: name })(tx, factsOf(before), factsOf(after));
          },
        );
        if (!changed) throw unknownRule();
        if (changed === "alike") throw tooAlike();
        return answerOf(made(changed));
      },
    }),

    route({
      method: "delete",
      path: "/trust/rules/{name}",
      operationId: "deleteTrustRule",
      tag,
      summary: "Delete a rule and end its tokens",
      ifMatch: "optional",
      status: 204,
      problems: [404],
      async handle({ actor, params: { name }, ifMatch }) {
        const record = recorder({ actor, action: "trust_rule.delete", target: name });
        const isRemoved = await trust.removeRule(
          name,
          (before) => requireMatch(ifMatch, versionTag(before)),
          async (tx, before) => record(tx, factsOf(before), null),
        );
        if (!isRemoved) throw unknownRule();
        return {};
      },
    }),

    route({
      method: "post",
      path: "/trust/explain",
      operationId: "explainTrust",
      tag,
      summary: "What an assertion would get, and rule by rule what it lacks",
      body: explainRequest,
      status: 200,
      answer: explanationView,
      async handle({ body: { token, client_id: clientId } }) {
        const { issuer, refused, rules, result } = await explain(token, clientId);
        return {
          body: {
            issuer: issuer ?? null,
            refused: refused ?? null,
            rules: rules.map((each) => ({
              rule: each.rule,
              client_id: each.clientId,
              state: each.state,
              unmet: each.unmet ?? null,
            })),
            result: result
              ? {
                  rule: result.rule,
                  client_id: result.clientId,
                  scopes: [...result.scopes],
                  resources: [...result.resources],
                  access_token_seconds: result.accessTokenSeconds,
                  ext: result.ext,
                }
              : null,
          },
        };
      },
    }),
  ];
}

const STATE = ["name", "cred", "version", "created_at", "updated_at"] as const;

function factsOf(rule: Rule) {
  const { conditions, ...view } = ruleViewOf(rule);
  return { ...view, conditions: conditions as Record<string, string | string[]>[] };
}

function answerOf(rule: Rule): Answer {
  return { body: ruleViewOf(rule), etag: versionTag(rule) };
}

function invalid(detail: string): ProblemError {
  return problem("invalid-trust-rule", { detail });
}

/** No value and no beginning of one tells them apart. */
function tooAlike(): ProblemError {
  return problem("too-many-rules", {
    detail: `At most ${MAX_ALIKE_RULES} of an issuer that one token could fit. Tell rules apart by one_of, or by what a glob begins with.`,
  });
}

function unknownRule(): ProblemError {
  return problem("unknown-trust-rule");
}
