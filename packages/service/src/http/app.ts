/**
 * The Koa application of one listener: what every request passes, in this order, before and after a
 * feature's route. It stands in one function: as middleware around middleware the same steps cost a
 * fifth of an answer. Koa's own error answers are switched off (H8).
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { BlockList } from "node:net";

import Koa from "koa";

import { addressKey, clientAddress, isTrusted } from "./address.ts";
import { createAddressLimit } from "./address-limit.ts";
import { isUnread } from "./body.ts";
import { createCohorts } from "./cohorts.ts";
import { type ErrorFormat, lastResort, tellError } from "./errors.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { problem } from "./problem-error.ts";
import { logRequest } from "./request-log.ts";
import { checkRequest, drainAfterError, drainRequest } from "./request-rules.ts";
import { createRoutes } from "./routes.ts";
import {
  allowedMethods,
  type AppContext,
  type AppRouter,
  type AppState,
  routePattern,
} from "./router.ts";
import { send } from "./send.ts";
import type { Tracing } from "../observe/tracing.ts";

/** From 16 on a token gains nothing more, `GET /time` a tenth up to here; the first answer waits for all. */
const COHORT_SIZE = 64;

/** Answers one request; never rejects. */
export type App = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

export function createApp({
  log,
  trustedProxies,
  errorFormat,
  metrics,
  requestsPerAddress = 0,
  finish,
  tracing,
  routers,
}: {
  log: Log;
  /** Peers whose `X-Forwarded-For` is believed (`createTrustedProxies`). */
  trustedProxies: BlockList;
  /** How this listener tells errors. */
  errorFormat: ErrorFormat;
  metrics?: Metrics;
  /** In a second; 0, as by default, for no limit. */
  requestsPerAddress?: number;
  /** Sees every answer whole, errors included, before it is sent. */
  finish?: (ctx: AppContext) => Promise<void> | undefined;
  tracing?: Tracing | undefined;
  routers: readonly AppRouter[];
}): App {
  const koa = new Koa<AppState>();
  const format = errorFormat;
  const joinCohort = createCohorts(COHORT_SIZE);
  const limitAddress = createAddressLimit(requestsPerAddress);
  const answerRoute = createRoutes(routers, unmatched);

  async function answer(ctx: AppContext): Promise<void> {
    const startedAt = performance.now();
    await joinCohort();
    begin(ctx, clientAddress(ctx.req, trustedProxies));
    try {
      limitAddress(ctx.state);
      try {
        checkRequest(ctx.req);
        await answerRoute(ctx);
        makePlain(ctx);
      } catch (error) {
        await drainAfterError(ctx.req);
        throw error;
      }
      if (isUnread(ctx.req)) await drainRequest(ctx.req);
    } catch (error) {
      tellError(ctx, error, { log, format });
    }
    await finish?.(ctx);
    const seconds = (performance.now() - startedAt) / 1000;
    const route = routePattern(ctx);
    logRequest(log, ctx, { route, seconds });
    metrics?.observe(ctx, { route, seconds });
    send(ctx);
  }

  koa.context.onerror = lastResort({ log, format });
  koa.response.set = setHeaders;
  return async (req, res) => {
    res.statusCode = 404;
    const ctx = koa.createContext<AppState>(req, res);
    const answered =
      tracing === undefined
        ? answer(ctx)
        : tracing.request(
            req.headers,
            () => isTrusted(clientAddress(req, trustedProxies), trustedProxies),
            () => answer(ctx),
            () => spanOf(ctx),
          );
    await answered.catch((error: unknown) => ctx.onerror(error as Error));
  };
}

/**
 * In place of Koa's own, which makes a list of lists of every header before it sets one. What Koa gives
 * as a number, the length, becomes text: whoever signs an answer reads it back.
 */
function setHeaders(this: Koa.Response, field: object | string, value?: unknown): void {
  if (this.headerSent) return;
  const { res } = this;
  if (typeof field === "string") {
    res.setHeader(field, typeof value === "number" ? String(value) : (value as string));
  } else {
    for (const [name, text] of Object.entries(field)) res.setHeader(name, text as string);
  }
}

/** Gives the request its id and its state, and its answer the headers that all answers have (H11). */
function begin({ state, res }: AppContext, address: string): void {
  // A caller's own X-Request-Id is not taken: it could forge or join other requests' log lines.
  state.requestId = randomUUID();
  state.address = address;
  state.addressKey = addressKey(address);
  state.logFields = {};
  res
    .setHeader("X-Request-Id", state.requestId)
    .setHeader("X-Content-Type-Options", "nosniff")
    .setHeader("Referrer-Policy", "no-referrer")
    .setHeader("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
}

/** Probes are not worth a span. */
function spanOf(ctx: AppContext) {
  if (ctx.state.quiet === true || ctx.state.isProbe === true) return undefined;
  const { status } = ctx;
  const route = routePattern(ctx);
  // The method of an unmatched request is whatever a stranger chose.
  const method = route === "unmatched" ? "_OTHER" : ctx.method;
  const attributes = {
    "http.request.method": method,
    "http.route": route,
    "http.response.status_code": status,
    "daykey.request_id": ctx.state.requestId,
  };
  return { name: `${method} ${route}`, attributes, isError: status >= 500 };
}

/**
 * Makes an answer one that Koa cannot fail on or add text to: an object becomes JSON here, where a
 * failure still has its catch, and no body stays empty instead of the status phrase.
 */
function makePlain(ctx: AppContext): void {
  const body: unknown = ctx.body;
  if (isPlain(body)) {
    ctx.body = JSON.stringify(body);
  } else if (body === undefined || body === null) {
    const { status } = ctx;
    if (status === 404) throw problem(status);
    ctx.body = null;
    ctx.status = status;
  }
}

function isPlain(body: unknown): body is object {
  if (typeof body !== "object" || body === null) return false;
  const prototype: unknown = Object.getPrototypeOf(body);
  return prototype === Object.prototype || prototype === null || Array.isArray(body);
}

/** Methods of RFC 9110 §9 and RFC 5789; the others are unknown here at every path. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]);

/** No route took the request: 501, 405 with `Allow`, or 404. OPTIONS and TRACE have no answer of their own (V12). */
function unmatched(ctx: AppContext): never {
  if (!METHODS.has(ctx.method)) throw problem(501);
  const allowed = allowedMethods(ctx);
  if (allowed.length > 0 && !allowed.includes(ctx.method)) {
    throw problem(405, { headers: { Allow: allowed.join(", ") } });
  }
  throw problem(404);
}
