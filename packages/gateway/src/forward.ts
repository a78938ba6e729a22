/** One request to an upstream, with a token in place of whatever credential it came with. */
import { randomUUID } from "node:crypto";
import {
  type Agent,
  type IncomingMessage,
  request as httpRequest,
  type RequestOptions,
  type ServerResponse,
} from "node:http";
import { request as httpsRequest } from "node:https";
import { pipeline } from "node:stream";
import { DaykeyError } from "@daykey/client/internal/errors";
import type { TokenSource } from "@daykey/client/internal/token-source";
import { parseChallenges } from "@daykey/client/internal/www-authenticate";
import { type ProblemCode, PROBLEMS } from "@daykey/common/problems";
import { PlainError } from "@daykey/common/own-message";
import { PROBLEM_MEDIA_TYPE } from "@daykey/common/media-types";
import type { App } from "@daykey/service/http/app";
import { hasBody } from "@daykey/service/http/body";
import type { Log } from "@daykey/service/observe/log";

export interface Upstream {
  name: string;
  /** Its path comes before each request's. */
  base: URL;
  agent: Agent;
  tokens: TokenSource;
  /** Until the answer begins. */
  timeoutSeconds: number;
}

interface Outcome {
  upstream?: string;
  status: number;
  /** What went wrong here; undefined for an answer of the upstream. */
  reason?: string;
}

/** How long an answer that has begun may stand still. */
const IDLE_SECONDS = 300;
/** Requests to one upstream at once; more are refused, since each holds a connection of this process. */
const MAX_REQUESTS = 1024;

/** Headers of one connection (RFC 9110 §7.6.1), which no proxy passes on. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
/** The token is to be the only credential; Host is the upstream's; this process answers Expect. */
const REPLACED = new Set(["authorization", "x-api-key", "x-pa-auth-token", "host", "expect"]);

const TARGET = /^\/([a-z0-9-]+)(\/[!-"$-~]*|\?[!-"$-~]*)?$/;
/** RFC 3986 §5.2.4: it would leave the upstream's path, if only for one who decodes before or takes `;` away. */
const DOT_SEGMENT = /(?:^|[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\?;]|%(?:2f|5c|3b)|$)/i;
const LOCAL_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

class Unsent extends Error {
  readonly code: ProblemCode | 403 | 421;
  readonly reason: string;

  constructor(code: Unsent["code"], reason: string, cause?: unknown) {
    super(reason, { cause });
    this.code = code;
    this.reason = reason;
  }
}

/** @param isLocal the listener is for this machine alone, so that every Host but its own is a trick */
export function createForwarder({
  upstreams,
  isLocal,
  log,
  count,
}: {
  upstreams: ReadonlyMap<string, Upstream>;
  isLocal: boolean;
  log: Log;
  count: (outcome: Outcome) => void;
}): App {
  const active = new Map<string, number>();

  async function forward(
    req: IncomingMessage,
    res: ServerResponse,
    outcome: Outcome,
  ): Promise<void> {
    refuseBrowsers(req, isLocal);
    const [, name = "", rest = ""] = TARGET.exec(req.url ?? "") ?? [];
    const upstream = upstreams.get(name);
    if (!upstream) throw new Unsent("unknown-upstream", "unknown_upstream");
    outcome.upstream = name;
    const [path = ""] = rest.split("?");
    if (DOT_SEGMENT.test(path) || path.includes("\\")) {
      throw new Unsent("ambiguous-request", "dot_segment");
    }
    const inProgress = active.get(name) ?? 0;
    if (inProgress >= MAX_REQUESTS) throw new Unsent("too-many-requests", "too_many_requests");
    active.set(name, inProgress + 1);
    try {
      const answer = await ask(upstream, rest, req, res);
      outcome.status = answer.statusCode ?? 502;
      await passOn(answer, req, res);
    } finally {
      active.set(name, (active.get(name) ?? 1) - 1);
    }
  }

  return async (req, res) => {
    const startedAt = performance.now();
    const outcome: Outcome = { status: 500 };
    const requestId = randomUUID();
    try {
      await forward(req, res, outcome);
    } catch (error) {
      if (error instanceof Unsent) {
        outcome.reason = error.reason;
        outcome.status = refuse(req, res, error);
        if (error.cause !== undefined) log.warn({ requestId, err: error.cause }, "not passed on");
      } else {
        outcome.reason = "cut_short";
        log.debug({ requestId, err: error }, "the connection ended before the answer");
        res.destroy();
      }
    }
    const durationMs = Math.round((performance.now() - startedAt) * 100) / 100;
    log.info({ requestId, method: req.method, ...outcome, durationMs }, "request");
    count(outcome);
  };
}

/** A page of any site could make a browser of this machine ask here. */
function refuseBrowsers({ headers }: IncomingMessage, isLocal: boolean): void {
  if (headers.origin !== undefined || headers["sec-fetch-site"] !== undefined) {
    throw new Unsent(403, "browser");
  }
  if (isLocal && !LOCAL_HOST.test(headers.host ?? "")) throw new Unsent(421, "other_host");
}

async function ask(
  upstream: Upstream,
  rest: string,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<IncomingMessage> {
  const { tokens } = upstream;
  const token = await tokenOf(tokens);
  const answer = await send(upstream, rest, req, res, token.value);
  if (!isInvalidToken(answer)) return answer;
  tokens.refused(token);
  if (hasBody(req)) return answer;
  const another = await tokenOf(tokens).catch(() => token);
  if (another === token) return answer;
  // Nobody waits for its content, which might never end.
  answer.destroy();
  return send(upstream, rest, req, res, another.value);
}

async function tokenOf(tokens: TokenSource) {
  try {
    return await tokens.token();
  } catch (error) {
    throw new Unsent("no-token", "no_token", error instanceof DaykeyError ? error : undefined);
  }
}

/** A redirect is an answer like any other: who follows it does so without the token. */
function send(
  { base, agent, timeoutSeconds }: Upstream,
  rest: string,
  req: IncomingMessage,
  res: ServerResponse,
  token: string,
): Promise<IncomingMessage> {
  const root = base.pathname.replace(/\/$/, "");
  const target = rest.startsWith("/") ? rest : `/${rest}`;
  const options: RequestOptions = {
    agent,
    method: req.method,
    protocol: base.protocol,
    hostname: base.hostname.replace(/^\[|\]$/g, ""),
    port: base.port,
    path: root + target,
    headers: passedOn(req, REPLACED).concat("Host", base.host, "Authorization", `Bearer ${token}`),
    setHost: false,
  };
  return new Promise((resolve, reject) => {
    const asked = (base.protocol === "https:" ? httpsRequest : httpRequest)(options);
    const giveUp = (why: Unsent): void => {
      clearTimeout(timer);
      asked.destroy();
      reject(why);
    };
    const timer = setTimeout(
      () => giveUp(new Unsent("upstream-late", "upstream_late")),
      timeoutSeconds * 1000,
    );
    asked.once("response", (answer) => {
      clearTimeout(timer);
      asked.setTimeout(IDLE_SECONDS * 1000, () => asked.destroy());
      resolve(answer);
    });
    asked.once("upgrade", (_answer, socket) => {
      socket.destroy();
      const cause = new PlainError("the upstream switched protocols, unasked");
      giveUp(new Unsent("upstream-unavailable", "upstream_unavailable", cause));
    });
    // Whatever comes after the first has nobody to be told.
    asked.on("error", (error) => {
      giveUp(new Unsent("upstream-unavailable", "upstream_unavailable", error));
    });
    res.once("close", () => {
      if (!res.writableFinished) asked.destroy();
    });
    if (!hasBody(req)) {
      asked.end();
      return;
    }
    if (req.headers.expect !== undefined) res.writeContinue();
    req.pipe(asked);
    req.once("close", () => {
      if (!req.complete) asked.destroy();
    });
  });
}

function passOn(answer: IncomingMessage, req: IncomingMessage, res: ServerResponse): Promise<void> {
  // Whoever has not taken all of the body cannot tell the next request from it.
  const close = hasBody(req) && !req.complete ? ["Connection", "close"] : [];
  res.writeHead(answer.statusCode ?? 502, [...passedOn(answer, new Set()), ...close]);
  return new Promise((resolve, reject) => {
    pipeline(answer, res, (error) => (error ? reject(error) : resolve()));
  });
}

/** Names and values in turn, repeated ones too. */
function passedOn(
  { headers, rawHeaders }: IncomingMessage,
  replaced: ReadonlySet<string>,
): string[] {
  const named = (headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase());
  const left = new Set(["content-length", "host"]);
  const dropped = new Set(named.filter((name) => !left.has(name)));
  const passed: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    const key = name.toLowerCase();
    if (HOP_BY_HOP.has(key) || dropped.has(key) || replaced.has(key)) continue;
    passed.push(name, rawHeaders[index + 1] ?? "");
  }
  return passed;
}

/** RFC 6750 §3.1. */
function isInvalidToken({ statusCode, headers }: IncomingMessage): boolean {
  if (statusCode !== 401) return false;
  return parseChallenges(headers["www-authenticate"] ?? "").some(
    ({ scheme, parameters }) => scheme === "bearer" && parameters.get("error") === "invalid_token",
  );
}

/** @returns the status that was answered */
function refuse(req: IncomingMessage, res: ServerResponse, { code }: Unsent): number {
  const [status, title] =
    typeof code === "number"
      ? [code, code === 403 ? "Not for browsers" : "Misdirected Request"]
      : PROBLEMS[code];
  if (res.headersSent) {
    res.destroy();
    return status;
  }
  const type = typeof code === "number" ? "about:blank" : `urn:daykey:problem:${code}`;
  const text = JSON.stringify({ type, title, status });
  res.writeHead(status, {
    "Content-Type": PROBLEM_MEDIA_TYPE,
    "Content-Length": Buffer.byteLength(text),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    ...(status >= 429 && status !== 502 && { "Retry-After": "1" }),
    ...(hasBody(req) && !req.complete && { Connection: "close" }),
  });
  res.end(text);
  return status;
}
