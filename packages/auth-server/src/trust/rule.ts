/** A rule of trust: which workloads of an issuer become which client, and with how much of it. */
import { isDeepStrictEqual } from "node:util";
import type { Ext } from "@daykey/common/access-token";
import type { JsonObject } from "@daykey/common/json-numbers";
import {
  type ClaimPath,
  claimAt,
  compileGlob,
  type Glob,
  parseClaimPath,
  textsOf,
} from "./claims.ts";

/** One of `values`, exactly, or what `glob` describes. */
export interface Condition {
  /** As `parseClaimPath` reads it. */
  claim: string;
  values?: readonly string[] | undefined;
  glob?: string | undefined;
}

/** `dry_run`: what it would let in is logged, and not let in. */
export const RULE_STATES = ["enabled", "dry_run", "disabled"] as const;
export type RuleState = (typeof RULE_STATES)[number];

/** What an operator decides. */
export interface RuleRegistration {
  name: string;
  /** The name of a trusted issuer. */
  issuer: string;
  /** The client that it makes. */
  clientId: string;
  state: RuleState;
  /** All have to hold; at least one. */
  conditions: readonly Condition[];
  /** What of the client's the tokens get; undefined: all. */
  scopes: readonly string[] | undefined;
  resources: readonly string[] | undefined;
  /** The longest life of an access token; undefined: the client's. */
  accessTokenSeconds: number | undefined;
  /** Claims for services, with templates; undefined: the client's. */
  ext: Ext | undefined;
}

export interface Rule extends RuleRegistration {
  /** What its tokens name as their credential, until they were ended. */
  cred: string;
  version: number;
  /** Epoch seconds. */
  createdAt: number;
  updatedAt: number;
}

/**
 * No secret or key can have such a kid, as theirs have no space; so a rule's tokens are never taken for a
 * credential's, nor the other way round.
 * @param generation differs each time that the rule's tokens are ended
 */
export function credOf(name: string, generation: string): string {
  return `rule ${name}.${generation}`;
}

/** A condition that does not hold: whose claim it is, or that nobody named a default account. */
export interface Unmet {
  claim: string;
  why: "absent" | "differs" | "default_service_account";
}

interface CompiledCondition extends Condition {
  path: ClaimPath;
  set: ReadonlySet<string> | undefined;
  pattern: Glob | undefined;
}

type Compiled<R> = R & { compiled: readonly CompiledCondition[] };
export type CompiledRule = Compiled<Rule>;

export function compileRule<R extends RuleRegistration>(rule: R): Compiled<R> {
  const compiled = rule.conditions.flatMap((condition) => {
    const path = parseClaimPath(condition.claim);
    const { values, glob } = condition;
    const set = values && new Set(values);
    const pattern = glob === undefined ? undefined : compileGlob(glob);
    return path ? [{ ...condition, path, set, pattern }] : [];
  });
  // A condition that cannot be read is no reason to let anybody in.
  return compiled.length === rule.conditions.length && compiled.length > 0
    ? { ...rule, compiled }
    : { ...rule, state: "disabled", compiled };
}

const ACCOUNT_NAME: ClaimPath = ["kubernetes.io", "serviceaccount", "name"];
const DEFAULT_SUBJECT = /^system:serviceaccount:[^:]+:default$/;

/** The conditions that a token does not meet, in the rule's order; none for a rule that it fits. */
export function unmetOf({ compiled }: Pick<CompiledRule, "compiled">, claims: JsonObject): Unmet[] {
  const unmet = compiled.flatMap(({ claim, path, set, pattern }): Unmet[] => {
    const value = claimAt(claims, path);
    if (value === undefined) return [{ claim, why: "absent" }];
    const isMet = textsOf(value).some((text) => (set ? set.has(text) : pattern?.matches(text)));
    return isMet ? [] : [{ claim, why: "differs" }];
  });
  if (unmet.length === 0 && isDefaultAccount(claims) && !compiled.some(namesDefaultAccount)) {
    unmet.push({ claim: "/kubernetes.io/serviceaccount/name", why: "default_service_account" });
  }
  return unmet;
}

/** Every pod of a namespace that names no account has this one. */
function isDefaultAccount(claims: JsonObject): boolean {
  const { sub } = claims;
  return (
    claimAt(claims, ACCOUNT_NAME) === "default" ||
    (typeof sub === "string" && DEFAULT_SUBJECT.test(sub))
  );
}

/** By name and nothing else: a glob that happens to fit does not name it. */
function namesDefaultAccount({ path, set }: CompiledCondition): boolean {
  const isName = path.join("\n") === ACCOUNT_NAME.join("\n");
  const isSubject = path.length === 1 && path[0] === "sub";
  if (isName) return set?.has("default") === true;
  return isSubject && [...(set ?? [])].some((value) => DEFAULT_SUBJECT.test(value));
}

/** Whether whatever the rule let in before, it would let in now, as the same client with no less. */
export function isNoNarrower(after: RuleRegistration, before: RuleRegistration): boolean {
  return (
    after.issuer === before.issuer &&
    after.clientId === before.clientId &&
    after.state === before.state &&
    holdsAll(after.scopes, before.scopes) &&
    holdsAll(after.resources, before.resources) &&
    isDeepStrictEqual(after.ext, before.ext) &&
    (after.accessTokenSeconds ?? Infinity) >= (before.accessTokenSeconds ?? Infinity) &&
    after.conditions.every((condition) =>
      before.conditions.some((earlier) => follows(condition, earlier)),
    )
  );
}

/** Undefined stands for all. */
function holdsAll(
  after: readonly string[] | undefined,
  before: readonly string[] | undefined,
): boolean {
  if (after === undefined) return true;
  return before?.every((item) => after.includes(item)) ?? false;
}

/** Whether a condition holds wherever the earlier one does. */
function follows(condition: Condition, earlier: Condition): boolean {
  if (condition.claim !== earlier.claim) return false;
  if (condition.values === undefined || earlier.values === undefined) {
    return condition.values === earlier.values && condition.glob === earlier.glob;
  }
  return holdsAll(condition.values, earlier.values);
}
