/**
 * Which rule holds for a request: that of the most specific path. At the first segment in which two paths
 * differ, a name is more specific than `*`, and `*` than `**`. A method that this path does not name is
 * denied, whatever wider paths allow.
 */
import type { RouteQuota } from "@daykey/guard/quota/policy";
import {
  foldSegments,
  readHost,
  readTarget,
  type Segments,
  type TargetFault,
} from "./request-target.ts";

export type Effect =
  | { kind: "public" }
  | { kind: "denied" }
  | {
      kind: "scope";
      scope: string;
      only?: readonly string[] | undefined;
      quota?: RouteQuota | undefined;
    };

export interface Rule {
  /** As it stands in the file, for the log: `GET /orders/*`. */
  name: string;
  /** Decoded segments; `*` is any one that is not empty, `**` at the end is none or more. */
  pattern: Segments;
  /** Undefined: all. */
  methods: readonly string[] | undefined;
  effect: Effect;
}

export interface HostRoutes {
  /** The audience of the host's tokens. */
  resource: string;
  rules: readonly Rule[];
}

/** The hosts of the file; `*` stands for all that are not named. */
export type Routes = ReadonlyMap<string, HostRoutes>;

/** The scopes that the routes of each resource need. */
export type Resources = ReadonlyMap<string, ReadonlySet<string>>;

export function resourcesOf(routes: Routes): Resources {
  const resources = new Map<string, Set<string>>();
  for (const { resource, rules } of routes.values()) {
    const scopes = resources.get(resource) ?? new Set();
    resources.set(resource, scopes);
    for (const { effect } of rules) if (effect.kind === "scope") scopes.add(effect.scope);
  }
  return resources;
}

export interface Asked {
  method: string;
  host: string;
  /** Path and query as they were sent. */
  target: string;
}

export type Decision =
  | { resource: string; rule: Rule }
  /** It can be read in two ways. */
  | { fault: TargetFault | "host" | "method" | "folded_path" }
  /** No rule allows it. */
  | undefined;

export type FindRoute = (asked: Asked) => Decision;

/** A method is compared as it is; a service that takes `get` for GET is refused it. */
const METHOD = /^[A-Z][A-Z-]{0,31}$/;

export function createFindRoute(routes: Routes): FindRoute {
  const hosts = new Map(
    Array.from(routes, ([host, { resource, rules }]) => [
      host,
      {
        resource,
        exact: treeOf(rules, (segments) => segments),
        folded: treeOf(rules, foldSegments),
      },
    ]),
  );
  const anyHost = hosts.get("*");

  return ({ method, host: named, target }) => {
    if (!METHOD.test(method)) return { fault: "method" };
    const host = readHost(named);
    if (host === undefined) return { fault: "host" };
    const segments = readTarget(target);
    if (typeof segments === "string") return { fault: segments };
    const found = hosts.get(host) ?? anyHost;
    if (!found) return undefined;
    // HEAD is GET without the content (RFC 9110 §9.3.2).
    const asked = method === "HEAD" ? "GET" : method;
    const rule = ruleAt(found.exact, segments, asked);
    const folded = ruleAt(found.folded, foldSegments(segments), asked);
    if (rule !== folded && effectOf(rule) !== effectOf(folded)) return { fault: "folded_path" };
    if (!rule || rule.effect.kind === "denied") return undefined;
    return { resource: found.resource, rule };
  };
}

/** Two rules of one effect are as good as one. */
function effectOf(rule: Rule | undefined): string {
  return JSON.stringify(rule?.effect ?? { kind: "denied" });
}

/** Rules by method; `""` is for every method. */
type Methods = Map<string, Rule>;

interface Node {
  names: Map<string, Node>;
  anyName?: Node;
  /** The methods of the path that ends here. */
  here?: Methods;
  /** The methods of all paths that begin like this. */
  below?: Methods;
}

/** Two rules for one path and method. */
export class RuleConflict extends Error {
  readonly first: Rule;
  readonly second: Rule;

  constructor(first: Rule, second: Rule) {
    super("two rules for one path and method");
    this.first = first;
    this.second = second;
  }
}

/**
 * @param fold how a pattern is written here
 * @throws {RuleConflict} for two rules of different effects that would be one
 */
export function treeOf(rules: readonly Rule[], fold: (segments: Segments) => Segments): Node {
  const root: Node = { names: new Map() };
  for (const rule of rules) {
    const isPrefix = rule.pattern.at(-1) === "**";
    const segments = isPrefix ? rule.pattern.slice(0, -1) : rule.pattern;
    let node = root;
    for (const segment of segments.length === 0 ? [] : fold(segments))
      node = nodeBelow(node, segment);
    const methods = isPrefix ? (node.below ??= new Map()) : (node.here ??= new Map());
    for (const method of rule.methods ?? [""]) {
      const other = methods.get(method);
      if (other && effectOf(other) !== effectOf(rule)) throw new RuleConflict(other, rule);
      methods.set(method, rule);
    }
  }
  return root;
}

function nodeBelow(node: Node, segment: string): Node {
  if (segment === "*") return (node.anyName ??= { names: new Map() });
  const known = node.names.get(segment);
  if (known) return known;
  const made: Node = { names: new Map() };
  node.names.set(segment, made);
  return made;
}

function ruleAt(root: Node, segments: Segments, method: string): Rule | undefined {
  const methods = methodsAt(root, segments, 0);
  return methods?.get(method) ?? methods?.get("");
}

/** Each node is reached by one way, so this looks at no more of them than the file has. */
function methodsAt(node: Node, segments: Segments, at: number): Methods | undefined {
  const segment = segments[at];
  if (segment === undefined) return node.here ?? node.below;
  const named = node.names.get(segment);
  const found = named && methodsAt(named, segments, at + 1);
  if (found) return found;
  const any =
    segment === "" ? undefined : node.anyName && methodsAt(node.anyName, segments, at + 1);
  return any ?? node.below;
}
