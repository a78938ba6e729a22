/**
 * All trusted issuers and rules in memory, kept right by the change watcher. An issuer is found by its
 * `iss`, and its rules by what a token says, so that neither rules of others nor those that cannot fit cost
 * a token anything.
 */
import type { JsonObject } from "@daykey/common/json-numbers";
import { type ClientKey, usableKeys } from "../clients/client-key.ts";
import { type CompiledRule, compileRule } from "./rule.ts";
import { createRuleIndex } from "./rule-index.ts";
import { SPIFFE_SCHEME, type TrustedIssuer } from "./trusted-issuer.ts";
import type { TrustStore } from "./trust-store.ts";

export interface DirectoryEntry {
  issuer: TrustedIssuer;
  /** Empty unless the set was uploaded. */
  keys: readonly ClientKey[];
  /** By name; the ones that are not enabled too. */
  rules: readonly CompiledRule[];
  /** By name; all without a client. */
  rulesOf(clientId: string | undefined): readonly CompiledRule[];
  /** Those that can fit these claims, and perhaps some that do not; disabled ones are left out. */
  candidates(claims: JsonObject): readonly CompiledRule[];
}

export interface TrustDirectory {
  /** By the `iss` of its tokens, or the trust domain of a JWT-SVID as `spiffe://<domain>`. */
  find(iss: string): DirectoryEntry | undefined;
  /** Whether any enabled issuer is there whose tokens have an `iss`. */
  hasIssuer(): boolean;
  /** Whether any enabled one of JWT-SVIDs is. */
  hasSpiffeIssuer(): boolean;
  /** Whether a rule that may let in is named so by the tokens of this client. */
  isLive(clientId: string, cred: string): boolean;
  /** That rule. */
  ruleOf(clientId: string, cred: string): CompiledRule | undefined;
  reload(): Promise<void>;
}

/** @param ownIssuer this server: it is nobody whom it could trust */
export async function createTrustDirectory(
  store: Pick<TrustStore, "readAll">,
  ownIssuer: string,
): Promise<TrustDirectory> {
  let byIss = new Map<string, DirectoryEntry>();
  let live = new Map<string, CompiledRule>();
  let enabled: readonly TrustedIssuer[] = [];

  async function reload(): Promise<void> {
    const all = await store.readAll();
    const issuers = all.issuers.filter(({ iss }) => iss !== ownIssuer);
    const rules = Map.groupBy(all.rules.map(compileRule), ({ issuer }) => issuer);
    byIss = new Map(
      issuers.map((issuer) => [issuer.iss, entryOf(issuer, rules.get(issuer.name) ?? [])]),
    );
    enabled = issuers.filter((issuer) => issuer.enabled);
    live = new Map(
      enabled.flatMap(({ name }) =>
        (rules.get(name) ?? [])
          .filter(({ state }) => state === "enabled")
          .map((rule) => [`${rule.clientId} ${rule.cred}`, rule] as const),
      ),
    );
  }
  await reload();
  return {
    find: (iss) => byIss.get(iss),
    hasIssuer: () => enabled.some((issuer) => !isOfSpiffe(issuer)),
    hasSpiffeIssuer: () => enabled.some(isOfSpiffe),
    isLive: (clientId, cred) => live.has(`${clientId} ${cred}`),
    ruleOf: (clientId, cred) => live.get(`${clientId} ${cred}`),
    reload,
  };
}

/** Whether JWT-SVIDs come from this issuer, which need no `iss` and are not taken as anything else. */
export function isOfSpiffe({ iss }: Pick<TrustedIssuer, "iss">): boolean {
  return iss.startsWith(SPIFFE_SCHEME);
}

function entryOf(issuer: TrustedIssuer, rules: readonly CompiledRule[]): DirectoryEntry {
  const lookUp = createRuleIndex(rules.filter(({ state }) => state !== "disabled"));
  const byClient = Map.groupBy(rules, ({ clientId }) => clientId);
  return {
    issuer,
    keys: usableKeys(issuer.jwks ?? []),
    rules,
    rulesOf: (clientId) => (clientId === undefined ? rules : (byClient.get(clientId) ?? [])),
    candidates: lookUp,
  };
}
