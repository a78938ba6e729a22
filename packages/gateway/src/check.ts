/**
 * The check of one request that a proxy asks about, whatever the proxy: the rule that holds for it, then
 * the guard of its resource. It takes data and returns data; the doors turn both into what they speak.
 */
import type { CheckOptions } from "@daykey/guard/check";
import type { Guard } from "@daykey/guard/guard";
import type { LogFields } from "@daykey/guard/log";
import type { Problem } from "@daykey/guard/refusals";
import type { FieldLines } from "@daykey/guard/request";
import { type ProblemCode, PROBLEMS } from "@daykey/common/problems";
import { PROBLEM_MEDIA_TYPE } from "@daykey/common/media-types";
import type { Asked, FindRoute, Resources } from "./routes.ts";

/** What the service learns about the caller. */
const IDENTITY_HEADERS = [
  "X-Daykey-Client",
  "X-Daykey-Scope",
  "X-Daykey-Grant",
  "X-Daykey-Subject",
  "X-Daykey-Actor",
  "X-Daykey-Workload",
  "X-Daykey-Ext",
] as const;
type Identity = Readonly<Record<(typeof IDENTITY_HEADERS)[number], string>>;

/**
 * By these some frameworks take another method or path than those of the request, which are what is
 * checked. A request with one is refused.
 */
const OVERRIDE_HEADERS: ReadonlySet<string> = new Set([
  "x-http-method-override",
  "x-http-method",
  "x-method-override",
  "x-original-url",
  "x-rewrite-url",
]);
const REPLACED_HEADERS: ReadonlySet<string> = new Set(
  IDENTITY_HEADERS.map((name) => name.toLowerCase()),
);

/** A request to the service, as the proxy describes it. */
export interface Proxied extends Asked {
  /** What the caller sent. */
  lines: FieldLines;
  /** The names of its headers, in lower case. */
  names: readonly string[];
  address: string;
  /** The proxy. */
  peer: string;
}

export type Verdict =
  | {
      allowed: true;
      /** All of them, empty where there is none, so that the caller's own never get through. */
      identity: Identity;
      /** For the answer to the caller: what is left of quotas. */
      headers: Readonly<Record<string, string>>;
      log: GatewayLog;
    }
  | {
      allowed: false;
      status: number;
      headers: Readonly<Record<string, string>>;
      body: Problem;
      log: GatewayLog;
    };

export type GatewayLog = LogFields & {
  /** The rule that held, as the file has it. */
  rule?: string;
};

/** Rejects on a fault of ours alone; the request must not be let through then. */
export type CheckProxied = (request: Proxied) => Promise<Verdict>;

/** What one routes file makes. */
export interface RouteTable {
  find: FindRoute;
  resources: Resources;
  /** By resource. */
  guards: ReadonlyMap<string, Pick<Guard, "check">>;
}

const NOBODY: Identity = {
  "X-Daykey-Client": "",
  "X-Daykey-Scope": "",
  "X-Daykey-Grant": "",
  "X-Daykey-Subject": "",
  "X-Daykey-Actor": "",
  "X-Daykey-Workload": "",
  "X-Daykey-Ext": "",
};

/** @param table asked for each request: it may have been replaced */
export function createCheckProxied(table: () => RouteTable): CheckProxied {
  return async (request) => {
    const { find, guards } = table();
    const { method, target, lines, names, address, peer } = request;
    const misleading = names.map(misleads).find((fault) => fault !== undefined);
    if (misleading) {
      return refuse("ambiguous-request", { reason: misleading }, MISLEADING[misleading]);
    }
    const decision = find(request);
    if (decision === undefined) return refuse("not-open", { reason: "no_route" });
    if ("fault" in decision) return refuse("ambiguous-request", { reason: decision.fault });
    const { resource, rule } = decision;
    const { effect, name } = rule;
    if (effect.kind !== "scope") {
      return { allowed: true, identity: NOBODY, headers: {}, log: { rule: name } };
    }
    const guard = guards.get(resource);
    if (!guard) throw new TypeError("a resource of the routes file has no guard");
    const options: CheckOptions = effect;
    const result = await guard.check(
      { method, url: target, headers: lines, address, peer, ...bodyOf(method) },
      options,
    );
    const log = { ...result.log, rule: name };
    if (!result.allowed) return { ...result, log };
    const { clientId, scope, grant = "", subject, actors, workload, ext } = result.access;
    const identity = {
      "X-Daykey-Client": clientId,
      "X-Daykey-Scope": scope.join(" "),
      "X-Daykey-Grant": grant,
      "X-Daykey-Subject": subject,
      "X-Daykey-Actor": actors.join(" "),
      "X-Daykey-Workload": inHeader(workload),
      "X-Daykey-Ext": inHeader(ext),
    };
    return { allowed: true, identity, headers: result.headers, log };
  };
}

/**
 * A JSON object as base64url of its UTF-8: whatever stands in it, a header has it whole, and no proxy splits
 * it at a comma or reads another character in it.
 */
function inHeader(value: object | undefined): string {
  return value ? Buffer.from(JSON.stringify(value)).toString("base64url") : "";
}

const MISLEADING = {
  override_header: "A header of the request names another method or path.",
  identity_header: "The service could take a header of the request for one of the gateway's.",
} as const;

/**
 * Whether the service could take a header for another than it is. To many (CGI, WSGI, PHP) every character
 * of a name that is no letter or digit is the same, so `X_Daykey_Client` would be `X-Daykey-Client`, which
 * the proxy does not replace.
 */
function misleads(name: string): keyof typeof MISLEADING | undefined {
  if (!name.startsWith("x")) return undefined;
  const taken = name.replaceAll(/[^a-z\d]/g, "-");
  if (OVERRIDE_HEADERS.has(taken)) return "override_header";
  return taken !== name && REPLACED_HEADERS.has(taken) ? "identity_header" : undefined;
}

/**
 * No door brings the content of a request, and most hide whether there is any. So a signature is good for
 * what has none by its meaning (RFC 9110 §9.3.1), and for other methods it is refused.
 */
function bodyOf(method: string): { hasBody?: true } {
  return method === "GET" || method === "HEAD" ? {} : { hasBody: true };
}

function refuse(code: ProblemCode, log: GatewayLog, detail?: string): Verdict {
  const [status, title] = PROBLEMS[code];
  const type = `urn:daykey:problem:${code}`;
  return {
    allowed: false,
    status,
    headers: { "Content-Type": PROBLEM_MEDIA_TYPE, "Cache-Control": "no-store" },
    body: { type, title, status, ...(detail !== undefined && { detail }) },
    log,
  };
}
