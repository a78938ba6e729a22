import Router, { type Layer } from "@koa/router";
import type { Middleware } from "koa";

import type { AnswerableError } from "./errors.ts";

/** The JSON body in which a route tells an error, where it is not its listener's form. */
export type ErrorBody = (error: AnswerableError) => object;

/** What every request carries; features add to `logFields`, and to nothing that is not named here. */
export interface AppState {
  /** A fresh UUID; also the answer's `X-Request-Id`. */
  requestId: string;
  /** The caller's address (`address.ts`). */
  address: string;
  /** What limits count it by (`addressKey`). */
  addressKey: string;
  /** Fields for the request's one log line: reason codes, client, kid. Never a secret. */
  logFields: Record<string, unknown>;
  /** The access of a request that the guard allowed. */
  clientId?: string;
  /**
   * Gives back what `requestsPerAddress` counted, within the same second: for a caller who has proven to
   * be one of those whom the limit is not for.
   */
  uncount?: () => void;
  /** Its line is logged at debug level. */
  quiet?: boolean;
  /** A question of a machine that watches, and no request: neither counted nor traced, and quiet. */
  isProbe?: boolean;
  /** Set by a route whose callers know errors in a form of its own. */
  errorBody?: ErrorBody;
}

export type AppMiddleware = Middleware<AppState>;
export type AppContext = Parameters<AppMiddleware>[0];
export type AppRouter = Router<AppState>;

/** A router that tells `/token` from `/TOKEN` and `/token/`. */
export function createRouter(): AppRouter {
  return new Router<AppState>({ sensitive: true, strict: true });
}

/** The pattern of the route that answers this request, such as `/primes/:n`, or "unmatched". */
export function routePattern(ctx: AppContext): string {
  const layers = (ctx.matched ?? []) as Layer[];
  const { method } = ctx;
  const layer = layers.findLast(({ methods }) => methods.includes(method));
  return layer === undefined ? "unmatched" : String(layer.path);
}

/** The methods that exist at this request's path; empty when nothing is there. */
export function allowedMethods(ctx: AppContext): string[] {
  const layers = (ctx.matched ?? []) as Layer[];
  return [...new Set(layers.flatMap(({ methods }) => methods))];
}
