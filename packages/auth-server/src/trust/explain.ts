/**
 * What would become of an assertion, for an operator who has it in hand: rule by rule, the first condition
 * that it does not meet and what it has there. Nothing is issued, used up or logged.
 */
import type { Ext } from "@daykey/common/access-token";
import { stringifyJson } from "@daykey/common/json-numbers";
import { isTyped } from "@daykey/common/jws";
import { ID_JAG_TYP } from "@daykey/common/protocol";
import { type JwtAssertion, parseAssertion } from "../authentication/client-assertion.ts";
import { claimAt } from "./claims.ts";
import type { TrustEngine } from "./engine.ts";
import { type CompiledRule, type RuleState, unmetOf } from "./rule.ts";

export interface ExplainedRule {
  rule: string;
  clientId: string;
  state: RuleState;
  /** The first condition that is not met; undefined for a rule that fits. */
  unmet: { claim: string; wanted: string; found: string } | undefined;
}

export interface Explanation {
  /** Name of the trusted issuer; undefined: nobody's. */
  issuer: string | undefined;
  /** Why it would be refused, as a reason of the log; undefined: it would be let in. */
  refused: string | undefined;
  /** Only of an assertion that its issuer signed. */
  rules: readonly ExplainedRule[];
  /** What it would get. */
  result:
    | {
        rule: string;
        clientId: string;
        scopes: readonly string[];
        resources: readonly string[];
        accessTokenSeconds: number;
        ext: Ext;
      }
    | undefined;
}

/** @param clientId the client that would be asked for, if one is */
export type Explain = (token: string, clientId: string | undefined) => Promise<Explanation>;

const MAX_FOUND_LENGTH = 200;

export function createExplain({
  engine,
  accessTokenSeconds,
  accessTokenMaxSeconds,
}: {
  engine: TrustEngine;
  accessTokenSeconds: number;
  accessTokenMaxSeconds: number;
}): Explain {
  return async (token, clientId) => {
    const assertion = parseAssertion(token);
    const refusal = (refused: string, issuer?: string): Explanation => ({
      issuer,
      refused,
      rules: [],
      result: undefined,
    });
    if (!assertion) return refusal("malformed_assertion");
    const plain = isTyped(assertion.typ, ID_JAG_TYP) ? "id_jag" : "client_assertion";
    const doors = [plain, "jwt_spiffe"] as const;
    const [found] = doors.flatMap((door) => {
      const entry = engine.entryOf({ door, clientId, assertion });
      return entry ? [{ door, entry }] : [];
    });
    if (!found) return refusal("unknown_issuer");
    const { door, entry } = found;
    const { issuer } = entry;
    const unsigned = await engine.signatureFault(assertion, entry);
    if (unsigned)
      return refusal(engine.formFault(assertion, issuer, door) ?? unsigned, issuer.name);

    const rules = entry.rules.map((rule) => explainRule(rule, assertion));
    const fitting = entry.rules.filter(
      (rule) => rule.state === "enabled" && unmetOf(rule, assertion.claims).length === 0,
    );
    const { rule, reason } = engine.decide(fitting, clientId);
    const taken = rule && (await engine.take(rule, assertion.claims));
    const refused =
      (issuer.enabled ? undefined : "issuer_disabled") ??
      engine.formFault(assertion, issuer, door) ??
      engine.timeFault(assertion, issuer) ??
      (rule ? undefined : reason) ??
      (taken && "reason" in taken ? taken.reason : undefined);
    const isLetIn = refused === undefined && rule && taken && !("reason" in taken);
    return {
      issuer: issuer.name,
      refused,
      rules,
      result: isLetIn
        ? {
            rule: rule.name,
            clientId: rule.clientId,
            scopes: taken.scopes,
            resources: taken.resources,
            accessTokenSeconds: Math.min(
              taken.client.accessTokenSeconds ?? accessTokenSeconds,
              accessTokenMaxSeconds,
              taken.accessTokenSeconds ?? Infinity,
            ),
            ext: taken.ext,
          }
        : undefined,
    };
  };
}

function explainRule(rule: CompiledRule, { claims }: JwtAssertion): ExplainedRule {
  const { name, clientId, state } = rule;
  const [first] = unmetOf(rule, claims);
  if (!first) return { rule: name, clientId, state, unmet: undefined };
  const condition = rule.compiled.find(({ claim }) => claim === first.claim);
  const isUnnamed = first.why === "default_service_account";
  const wanted =
    isUnnamed || !condition
      ? "an account that is not default, or a rule that names it"
      : (condition.values?.join(" or ") ?? `the glob ${condition.glob ?? ""}`);
  const value = condition ? claimAt(claims, condition.path) : undefined;
  const found = isUnnamed ? "default" : value === undefined ? "nothing" : stringifyJson(value);
  return {
    rule: name,
    clientId,
    state,
    unmet: { claim: first.claim, wanted, found: found.slice(0, MAX_FOUND_LENGTH) },
  };
}
