/**
 * Finds the few rules of an issuer that can fit a token, however many it has. Each rule is filed under one of
 * its conditions: under its values, or under what its glob begins with. Rules that nothing tells apart are all
 * tried, so their number is bounded.
 */
import type { JsonObject } from "@daykey/common/json-numbers";
import { claimAt, textsOf } from "./claims.ts";
import type { CompiledRule } from "./rule.ts";

/** What is filed. */
type Filed = Pick<CompiledRule, "compiled">;
type Condition = Filed["compiled"][number];

/** Rules by the values, or the beginnings of values, of one claim. */
interface File<R> {
  path: Condition["path"];
  isExact: boolean;
  byKey: Map<string, R[]>;
  /** Each length that a key has, once. */
  lengths: number[];
}

export function createRuleIndex<R extends Filed>(
  rules: readonly R[],
): (claims: JsonObject) => readonly R[] {
  const { files, unfiled } = fileRules(rules);
  return (claims) => {
    const found = new Set(unfiled);
    for (const { path, isExact, byKey, lengths } of files) {
      for (const text of textsOf(claimAt(claims, path))) {
        const keys = isExact
          ? [text]
          : lengths
              .filter((length) => length <= text.length)
              .map((length) => text.slice(0, length));
        for (const key of keys) for (const rule of byKey.get(key) ?? []) found.add(rule);
      }
    }
    return [...found];
  };
}

/** The most rules that one value a claim can find. */
export function mostAlike(rules: readonly Filed[]): number {
  const { files, unfiled } = fileRules(rules);
  const most = files.map(({ isExact, byKey, lengths }) => {
    const found = (key: string): number => byKey.get(key)?.length ?? 0;
    const counts = [...byKey.keys()].map((key) =>
      isExact
        ? found(key)
        : lengths
            .filter((length) => length <= key.length)
            .reduce((sum, length) => sum + found(key.slice(0, length)), 0),
    );
    return counts.reduce((a, b) => Math.max(a, b), 0);
  });
  return most.reduce((a, b) => a + b, unfiled.length);
}

/** Under that of a rule's conditions whose keys are most among these rules. */
function fileRules<R extends Filed>(rules: readonly R[]): { files: File<R>[]; unfiled: R[] } {
  const nameOf = (condition: Condition): string =>
    `${condition.set ? "=" : "^"}${condition.path.join("\n")}`;
  const keysAt = new Map<string, Set<string>>();
  for (const { compiled } of rules) {
    for (const condition of compiled) {
      const name = nameOf(condition);
      const keys = keysAt.get(name) ?? new Set();
      keysAt.set(name, keys);
      for (const key of keysOf(condition)) keys.add(key);
    }
  }
  const told = (condition: Condition): number => keysAt.get(nameOf(condition))?.size ?? 0;

  const files = new Map<string, File<R>>();
  const unfiled: R[] = [];
  for (const rule of rules) {
    const [best] = rule.compiled
      .filter((condition) => keysOf(condition).length > 0)
      .toSorted(
        (a, b) => told(b) - told(a) || Number(b.set !== undefined) - Number(a.set !== undefined),
      );
    if (!best) {
      unfiled.push(rule);
      continue;
    }
    const { path, set } = best;
    const file = files.get(nameOf(best)) ?? {
      path,
      isExact: set !== undefined,
      byKey: new Map<string, R[]>(),
      lengths: [],
    };
    files.set(nameOf(best), file);
    for (const key of keysOf(best)) {
      const here = file.byKey.get(key);
      if (here) here.push(rule);
      else file.byKey.set(key, [rule]);
      if (!file.lengths.includes(key.length)) file.lengths.push(key.length);
    }
  }
  return { files: [...files.values()], unfiled };
}

/** None where a glob begins with a star. */
function keysOf({ set, pattern }: Condition): readonly string[] {
  if (set) return [...set];
  return pattern && pattern.prefix !== "" ? [pattern.prefix] : [];
}
