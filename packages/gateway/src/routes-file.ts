/** The routes file: what it may say (docs/reference/gateway.md), and what becomes of it. */
import { CLIENT_ID } from "@daykey/common/protocol";
import { MAX_QUOTA_LIMIT, QUOTA_WINDOWS, type QuotaWindow } from "@daykey/common/quota";
import { isScopeToken } from "@daykey/common/scope";
import { z } from "zod";
import { foldSegments, readHost, readTarget, type Segments } from "./request-target.ts";
import {
  type Effect,
  type HostRoutes,
  type Routes,
  type Rule,
  RuleConflict,
  treeOf,
} from "./routes.ts";
import { type Fault, readYaml } from "./yaml-file.ts";

const METHOD = /^[A-Z][A-Z-]{0,31}$/;
const WINDOWS = Object.keys(QUOTA_WINDOWS) as QuotaWindow[];

const ROUTE = z.strictObject({
  path: z
    .string()
    .startsWith("/")
    .describe("A path; `*` is one segment, `/**` at the end all below"),
  methods: z
    .array(z.string().regex(METHOD, "a method is written in capitals"))
    .min(1)
    .optional()
    .describe("All by default; GET is HEAD too"),
  scope: z.string().min(1).optional().describe("The scope that a credential needs"),
  access: z.enum(["public", "denied"]).optional().describe("In place of a scope"),
  only: z
    .array(z.string().regex(CLIENT_ID, "not a client id"))
    .min(1)
    .optional()
    .describe("Clients for whom alone it is"),
  quota: z
    .strictObject({
      name: z.string().regex(/^[a-z0-9-]{1,32}$/, "lower-case letters, digits and dashes"),
      limit: z.int().min(0).max(MAX_QUOTA_LIMIT),
      window: z.enum(WINDOWS),
    })
    .optional()
    .describe("For each credential; routes that name it alike share it"),
});

export const ROUTES_FILE = z.strictObject({
  $schema: z.string().optional(),
  hosts: z
    .record(
      z.string(),
      z.strictObject({
        resource: z
          .url({ protocol: /^https?$/ })
          .optional()
          .describe("The audience of the host's tokens; the setting RESOURCE by default"),
        routes: z.array(ROUTE).min(1),
      }),
    )
    .describe("By name, without a port; `*` stands for all that are not named"),
});

type RouteEntry = z.infer<typeof ROUTE>;
type Tell = (message: string, ...at: (string | number)[]) => void;

/**
 * @param resource of hosts that name none
 * @throws {FileError} with every fault and its line
 */
export function readRoutesFile(
  text: string,
  { name, resource }: { name: string; resource: string },
): Routes {
  return readYaml(text, {
    name,
    schema: ROUTES_FILE,
    make({ hosts }, fault) {
      const routes = new Map<string, HostRoutes>();
      for (const [host, entry] of Object.entries(hosts)) {
        const path = ["hosts", host];
        if (host !== "*" && readHost(host) !== host) {
          const message = `${host} is not a host's name in lower case, without a port`;
          fault({ path, message });
        }
        const rules = readRules(entry.routes, [...path, "routes"], fault);
        routes.set(host, { resource: entry.resource ?? resource, rules });
      }
      return routes;
    },
  });
}

function readRules(
  entries: readonly RouteEntry[],
  path: readonly (string | number)[],
  fault: (fault: Fault) => void,
): Rule[] {
  const places = new Map<Rule, number>();
  entries.forEach((entry, index) => {
    const tell: Tell = (message, ...at) => fault({ path: [...path, index, ...at], message });
    const pattern = readPattern(entry.path, tell);
    const effect = readEffect(entry, tell);
    if (entry.methods?.includes("HEAD")) tell("HEAD is allowed where GET is", "methods");
    const { methods } = entry;
    const name = `${methods?.join(",") ?? "*"} ${entry.path}`;
    if (pattern && effect) places.set({ name, pattern, methods, effect }, index);
  });
  const rules = [...places.keys()];
  for (const fold of [(segments: Segments) => segments, foldSegments]) {
    try {
      treeOf(rules, fold);
    } catch (error) {
      if (!(error instanceof RuleConflict)) throw error;
      const index = places.get(error.second) ?? 0;
      const same =
        fold === foldSegments
          ? "the same path but for case or a slash at its end"
          : "the same path";
      const message = `${error.second.name} is ${same} as ${error.first.name}, and says otherwise`;
      fault({ path: [...path, index, "path"], message });
      break;
    }
  }
  return rules;
}

function readPattern(path: string, tell: Tell): Segments | undefined {
  const segments = readTarget(path);
  if (typeof segments === "string" || path.includes("?")) {
    tell("this path is refused in requests: it can be read in two ways", "path");
    return undefined;
  }
  const isOdd = segments.some(
    (segment, index) =>
      segment.includes("*") &&
      segment !== "*" &&
      !(segment === "**" && index === segments.length - 1),
  );
  if (!isOdd) return segments;
  tell("`*` stands for a whole segment, and `**` for the last ones", "path");
  return undefined;
}

function readEffect({ scope, access, only, quota }: RouteEntry, tell: Tell): Effect | undefined {
  if ((scope === undefined) === (access === undefined)) {
    tell("a route has a scope, or access: public or denied");
    return undefined;
  }
  if (access !== undefined) {
    if (only || quota) tell("only and quota need a scope");
    return { kind: access };
  }
  if (scope === undefined || !isScopeToken(scope)) {
    tell("this is not one scope", "scope");
    return undefined;
  }
  return {
    kind: "scope",
    scope,
    ...(only && { only }),
    ...(quota && {
      quota: { name: quota.name, quota: { limit: quota.limit, window: quota.window } },
    }),
  };
}
