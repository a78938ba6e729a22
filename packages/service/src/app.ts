/**
 * The Koa application of one listener: what every request passes, in this order, before and after a
 * feature's route. Koa's own error answers are switched off (H8).
 */
import { randomUUID } from "node:crypto";
import type { BlockList } from "node:net";

import Koa from "koa";

import { clientAddress } from "./address.ts";
import { addressLimit } from "./address-limit.ts";
import { type ErrorFormat, errorAnswers, lastResort } from "./errors.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { ProblemError } from "./problem-error.ts";
import { requestLog } from "./request-log.ts";
import { requestRules } from "./request-rules.ts";
import { allowedMethods, type AppMiddleware, type AppRouter, type AppState } from "./router.ts";

export type App = Koa<AppState>;

export function createApp({
  log,
  trustedProxies,
  errorFormat,
  metrics,
  requestsPerAddress = 0,
  finish,
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
  finish?: AppMiddleware;
  routers: readonly AppRouter[];
}): App {
  const app: App = new Koa<AppState>();
  const format = errorFormat;

  app.use(requestStart(trustedProxies));
  if (metrics !== undefined) app.use(metrics.httpMiddleware);
  app.use(requestLog(log));
  if (finish !== undefined) app.use(finish);
  app.use(errorAnswers({ log, format }));
  app.use(addressLimit(requestsPerAddress));
  app.use(requestRules);
  app.use(plainAnswer);
  for (const router of routers) app.use(router.routes());
  app.use(unmatched);

  app.context.onerror = lastResort({ log, format });
  // `onerror` has dealt with it; Koa would print it.
  app.on("error", () => {});
  return app;
}

/** Gives the request its id and its state, and its answer the headers that all answers have (H11). */
function requestStart(trustedProxies: BlockList): AppMiddleware {
  return (ctx, next) => {
    // A caller's own X-Request-Id is not taken: it could forge or join other requests' log lines.
    ctx.state.requestId = randomUUID();
    ctx.state.address = clientAddress(ctx.req, trustedProxies);
    ctx.state.logFields = {};
    ctx.res
      .setHeader("X-Request-Id", ctx.state.requestId)
      .setHeader("X-Content-Type-Options", "nosniff")
      .setHeader("Referrer-Policy", "no-referrer")
      .setHeader("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    return next();
  };
}

/**
 * Makes an answer one that Koa cannot fail on or add text to: an object becomes JSON here, where a
 * failure still has its catch, and no body stays empty instead of the status phrase.
 */
const plainAnswer: AppMiddleware = async (ctx, next) => {
  await next();
  const body: unknown = ctx.body;
  if (isPlain(body)) {
    ctx.body = JSON.stringify(body);
  } else if (body === undefined || body === null) {
    const { status } = ctx;
    if (status === 404) throw new ProblemError({ status });
    ctx.body = null;
    ctx.status = status;
  }
};

function isPlain(body: unknown): body is object {
  if (typeof body !== "object" || body === null) return false;
  const prototype: unknown = Object.getPrototypeOf(body);
  return prototype === Object.prototype || prototype === null || Array.isArray(body);
}

/** Methods of RFC 9110 §9 and RFC 5789; the others are unknown here at every path. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]);

/** No route took the request: 501, 405 with `Allow`, or 404. OPTIONS and TRACE have no answer of their own (V12). */
const unmatched: AppMiddleware = (ctx) => {
  if (!METHODS.has(ctx.method)) throw new ProblemError({ status: 501 });
  const allowed = allowedMethods(ctx);
  if (allowed.length > 0 && !allowed.includes(ctx.method)) {
    throw new ProblemError({ status: 405, headers: { Allow: allowed.join(", ") } });
  }
  throw new ProblemError({ status: 404 });
};
