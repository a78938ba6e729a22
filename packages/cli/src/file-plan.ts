/** What has to be done so that a server has what a file holds. */
import { isDeepStrictEqual } from "node:util";
import type { DaykeyFile, Kind, Thing } from "./daykey-file.ts";
import { KINDS } from "./daykey-file.ts";
import type { ServerState } from "./file-state.ts";
import { type Paint, printable } from "./output.ts";

/** A member that differs. */
export interface Difference {
  member: string;
  before: unknown;
  after: unknown;
}

export interface Step {
  action: "create" | "change" | "remove";
  kind: Kind;
  id: string;
  /** As it was read; undefined for what is made. */
  before: Thing | undefined;
  /** As the file has it; undefined for what is removed. */
  after: Thing | undefined;
  differences: Difference[];
  /** Public keys of a client to register, and kids of those to end. */
  keys: { add: Thing[]; end: string[] };
  /** The label that it has to get; undefined when it carries it. */
  label: string | undefined;
}

export interface Plan {
  label: string;
  steps: Step[];
  unchanged: number;
  /** What carries the file's label and is no longer in it, while nothing is removed. */
  left: { kind: Kind; id: string }[];
  /** What the file would change and another file keeps. */
  foreign: { kind: Kind; id: string; label: string }[];
}

/** Members of a client that stand beside its registration. */
const BESIDE = new Set(["keys", "secret"]);

/** @param options.prune whether what carries the label and is not in the file is removed */
export function planOf(file: DaykeyFile, state: ServerState, { prune }: { prune: boolean }): Plan {
  const plan: Plan = { label: file.label, steps: [], unchanged: 0, left: [], foreign: [] };
  const removals: Step[] = [];
  for (const { kind, list, id: idMember } of KINDS) {
    const wanted = new Map<string, Thing>();
    for (const thing of file[list]) {
      const registered = withRegisteredUris(kind, thing, state);
      wanted.set(String(registered[idMember]), registered);
    }
    for (const [id, after] of wanted) {
      const label = state.labels.get(`${kind} ${id}`);
      const step = stepOf({ kind, id, after, label, state, wantedLabel: file.label });
      if (!step) plan.unchanged++;
      else if (label !== undefined && label !== file.label) plan.foreign.push({ kind, id, label });
      else plan.steps.push(step);
    }
    for (const [id, before] of state.things[kind]) {
      if (wanted.has(id) || state.labels.get(`${kind} ${id}`) !== file.label) continue;
      const nothing = { differences: [], keys: { add: [], end: [] }, label: undefined };
      if (prune)
        removals.push({ action: "remove", kind, id, before, after: undefined, ...nothing });
      else plan.left.push({ kind, id });
    }
  }
  // What stands on others goes first.
  plan.steps.push(...removals.toReversed());
  return plan;
}

/** `undefined` when nothing is to do. */
function stepOf({
  kind,
  id,
  after,
  label,
  state,
  wantedLabel,
}: {
  kind: Kind;
  id: string;
  after: Thing;
  label: string | undefined;
  state: ServerState;
  wantedLabel: string;
}): Step | undefined {
  const before = state.things[kind].get(id);
  const differences = differencesOf(before, after);
  const keys = keysOf(after["keys"], state.keys.get(id) ?? new Map<string, Thing>());
  const isSame = differences.length === 0 && keys.add.length + keys.end.length === 0;
  const missing = label === wantedLabel ? undefined : wantedLabel;
  if (before && isSame && missing === undefined) return undefined;
  const action = before ? "change" : "create";
  return { action, kind, id, before, after, differences, keys, label: missing };
}

/** The members that the file has otherwise than the server. */
export function differencesOf(before: Thing | undefined, after: Thing): Difference[] {
  return Object.entries(after)
    .filter(([member]) => !BESIDE.has(member))
    .map(([member, value]) => ({ member, before: before?.[member], after: value }))
    .filter(({ member, ...one }) =>
      member === "jwks"
        ? !isDeepStrictEqual(materialOf(one.before), materialOf(one.after))
        : !isDeepStrictEqual(one.before, one.after),
    );
}

const MATERIAL = ["kid", "kty", "crv", "x", "y", "n", "e"];

/** What the server keeps of a key set, without what it adds. */
function materialOf(set: unknown): unknown {
  const { keys = [] } = (set ?? {}) as { keys?: readonly Thing[] };
  return keys.map((jwk) => MATERIAL.map((member) => jwk[member]));
}

/** Keys that are left out of a file stay as they are. */
function keysOf(wanted: unknown, held: ReadonlyMap<string, Thing>): Step["keys"] {
  if (wanted === undefined) return { add: [], end: [] };
  const list = wanted as readonly Thing[];
  const kids = new Set(list.map(({ kid }) => String(kid)));
  return {
    add: list.filter(({ kid }) => !held.has(String(kid))),
    end: [...held.keys()].filter((kid) => !kids.has(kid)),
  };
}

/** Resources are named in many ways; the server has one of them. */
function withRegisteredUris(kind: Kind, thing: Thing, { registeredUri }: ServerState): Thing {
  const uris = thing["resources"];
  if (kind === "resource") return { ...thing, uri: registeredUri(String(thing["uri"])) };
  if (!Array.isArray(uris)) return thing;
  return { ...thing, resources: uris.map((uri) => registeredUri(String(uri))) };
}

const SIGNS = { create: "+", change: "~", remove: "-" } as const;
const STYLES = { create: "green", change: "yellow", remove: "red" } as const;
const WORDS: Readonly<Record<Kind, string>> = {
  resource: "resource",
  client: "client",
  trust_issuer: "trusted issuer",
  trust_rule: "rule",
};

export function nameOf({ kind, id }: { kind: Kind; id: string }): string {
  return `${WORDS[kind]} ${id}`;
}

/** The plan for a person. */
export function describePlan(plan: Plan, paint: Paint): string {
  const lines = plan.steps.flatMap((step) => [
    paint(STYLES[step.action], printable(`${SIGNS[step.action]} ${nameOf(step)}`)),
    ...detailsOf(step).map((line) => printable(`    ${line}`)),
  ]);
  for (const one of plan.foreign) {
    lines.push(
      printable(`! ${nameOf(one)} is kept by another file: it carries the label ${one.label}`),
    );
  }
  for (const one of plan.left) {
    lines.push(printable(`? ${nameOf(one)} is not in the file any more; --prune removes it`));
  }
  const count = (action: Step["action"]): number =>
    plan.steps.filter((step) => step.action === action).length;
  const sum = `${count("create")} to create, ${count("change")} to change, ${count("remove")} to remove, ${plan.unchanged} unchanged`;
  return `${[...lines, sum].join("\n")}\n`;
}

function detailsOf({ action, differences, keys, label }: Step): string[] {
  return [
    ...differences
      .filter(({ after }) => action !== "create" || !isNothing(after))
      .map(({ member, before, after }) =>
        action === "create"
          ? `${member}: ${told(after)}`
          : `${member}: ${told(before)} → ${told(after)}`,
      ),
    ...keys.add.map(({ kid }) => `keys: + ${String(kid)}`),
    ...keys.end.map((kid) => `keys: - ${kid}`),
    ...(action === "change" && label !== undefined ? [`label: ${label}`] : []),
  ];
}

function isNothing(value: unknown): boolean {
  return (
    value === null ||
    value === false ||
    isDeepStrictEqual(value, []) ||
    isDeepStrictEqual(value, {})
  );
}

function told(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}
