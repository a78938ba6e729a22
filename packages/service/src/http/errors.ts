/**
 * The one catch: turns what a handler threw into an answer. An answer is made of fixed text only; no
 * stack, SQL, path or version is ever in it (H8). What nobody expected is logged once and answered 500.
 */
import { StoreOverloaded } from "@daykey/common/group-commit";
import { OAuthError } from "@daykey/common/oauth-error";
import { PROBLEM_MEDIA_TYPE } from "@daykey/common/protocol";

import { isUnread } from "./body.ts";
import { DatabaseUnavailable } from "../database/database-unavailable.ts";
import { RedisUnavailable } from "../database/redis-unavailable.ts";
import { JSON_UTF8 } from "./json-answer.ts";
import type { Log } from "../observe/log.ts";
import { ProblemError } from "./problem-error.ts";
import type { AppContext } from "./router.ts";

/** How a listener tells errors: RFC 6749 §5.2, or RFC 9457. */
export type ErrorFormat = "oauth" | "problem";

type KnownError = OAuthError | ProblemError;

/** Headers that described the answer the handler had begun. */
const ABANDONED = ["Content-Length", "Content-Encoding", "Content-Disposition", "ETag"];

/** Turns what a handler threw into this request's answer. */
export function tellError(
  ctx: AppContext,
  error: unknown,
  { log, format }: { log: Log; format: ErrorFormat },
): void {
  const known = toKnownError(error);
  noteError(ctx, log, error, known);
  // Cut off, an answer that has begun does not pass for a whole one.
  if (ctx.headerSent) ctx.res.destroy();
  else writeError(ctx, format, known);
}

/** The error as one that has a status and public text; the unexpected becomes `server_error`. */
function toKnownError(error: unknown): KnownError {
  if (error instanceof OAuthError || error instanceof ProblemError) return error;
  const unavailable = unavailableStore(error);
  if (unavailable !== undefined) {
    return new OAuthError("temporarily_unavailable", "The server cannot answer now. Try again.", {
      detail: unavailable,
      headers: { "Retry-After": "1" },
    });
  }
  return new OAuthError("server_error", "The server met an unexpected condition.", {
    detail: "unexpected_error",
  });
}

/** The reason code of a store that cannot answer, or undefined. */
function unavailableStore(error: unknown): string | undefined {
  if (error instanceof DatabaseUnavailable || error instanceof StoreOverloaded) {
    return "database_unavailable";
  }
  if (!(error instanceof RedisUnavailable)) return undefined;
  return error.refusal === undefined ? "redis_unavailable" : "redis_refused";
}

/** The reason goes into the request's own line; a line of its own is for what we did not foresee. */
function noteError(ctx: AppContext, log: Log, error: unknown, known: KnownError): void {
  const { requestId, logFields } = ctx.state;
  logFields.error ??= known.code;
  logFields.reason ??= known instanceof OAuthError ? known.detail : known.reason;
  if (known.status < 500 || (known === error && known.cause === undefined)) return;
  const level = known.status === 503 ? "warn" : "error";
  log[level]({ requestId, err: error }, "the request failed");
}

function writeError(ctx: AppContext, format: ErrorFormat, error: KnownError): void {
  for (const name of ABANDONED) ctx.remove(name);
  ctx.status = error.status;
  ctx.set("Cache-Control", "no-store");
  if (format === "oauth") ctx.set("Pragma", "no-cache");
  ctx.set(error.headers);
  // What is left of the body cannot be told from a next request by everyone on the way.
  if (isUnread(ctx.req)) ctx.set("Connection", "close");
  const [type, body] = errorBody(ctx, format, error);
  ctx.set("Content-Type", type);
  ctx.body = JSON.stringify(body);
}

function errorBody(
  ctx: AppContext,
  format: ErrorFormat,
  error: KnownError,
): [type: string, body: object] {
  const own = ctx.state.errorBody;
  if (own === undefined && format === "problem") return problemBody(error);
  return [JSON_UTF8, (own ?? oauthBody)(error)];
}

/** RFC 6749 §5.2. */
function oauthBody(error: KnownError): object {
  if (error instanceof OAuthError) {
    return { error: error.code, error_description: error.description };
  }
  const code = { 429: "slow_down", 500: "server_error", 503: "temporarily_unavailable" }[
    error.status
  ];
  return { error: code ?? "invalid_request", error_description: error.detail ?? error.title };
}

/** RFC 9457 §3. An OAuth code keeps its underscores in OAuth's own answers alone. */
function problemBody(error: KnownError): [type: string, body: object] {
  const { status, code } = error;
  const type =
    code === undefined ? "about:blank" : `urn:daykey:problem:${code.replaceAll("_", "-")}`;
  const [title, detail] =
    error instanceof OAuthError ? [error.description, undefined] : [error.title, error.detail];
  return [PROBLEM_MEDIA_TYPE, { type, title, status, ...(detail !== undefined && { detail }) }];
}

/**
 * For what fails after the middleware: writing the answer. Koa's `onerror` would answer in its own
 * words; this one sends fixed text, or ends a connection whose answer has begun.
 */
export function lastResort({ log, format }: { log: Log; format: ErrorFormat }) {
  return function onerror(this: unknown, error: unknown): void {
    // Koa calls this at the end of every stream too.
    if (error === undefined || error === null) return;
    const ctx = this as AppContext;
    const { requestId } = ctx.state;
    if (ctx.headerSent || !ctx.writable) {
      log.debug({ requestId, err: error }, "the connection ended before the answer");
      return;
    }
    log.error({ requestId, err: error }, "the answer could not be written");
    writeError(ctx, format, toKnownError(undefined));
    ctx.res.end(ctx.body);
  };
}
