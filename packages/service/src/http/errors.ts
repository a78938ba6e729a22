/**
 * The one catch: turns what a handler threw into an answer. An answer is made of fixed text only; no
 * stack, SQL, path or version is ever in it (H8). What nobody expected is logged once and answered 500.
 */
import { StoreOverloaded } from "@daykey/common/group-commit";
import { PROBLEM_MEDIA_TYPE } from "@daykey/common/media-types";

import { isUnread } from "./body.ts";
import { DatabaseUnavailable } from "../database/database-unavailable.ts";
import { RedisUnavailable } from "../database/redis-unavailable.ts";
import { JSON_UTF8 } from "./json-answer.ts";
import type { Log } from "../observe/log.ts";
import { ProblemError } from "./problem-error.ts";
import type { AppContext } from "./router.ts";

/** What an answer says of an error, and the log line: an error of ours whatever its protocol. */
export interface AnswerableError {
  readonly status: number;
  readonly code: string | undefined;
  /** Fixed public text. */
  readonly title: string;
  /** More fixed public text. */
  readonly detail?: string | undefined;
  /** For the log alone. */
  readonly reason: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** How a listener tells errors. A protocol that has errors of its own brings its own. */
export interface ErrorFormat {
  /** Reads an error of the protocol. Undefined: it is none. */
  read(error: unknown): AnswerableError | undefined;
  /** Headers that every error's answer has. */
  headers: Readonly<Record<string, string>>;
  write(error: AnswerableError): [type: string, body: object];
}

/** RFC 9457 §3. Where a code comes from a protocol that writes underscores, its type has hyphens. */
export const PROBLEM_FORMAT: ErrorFormat = {
  read: () => undefined,
  headers: {},
  write({ status, code, title, detail }) {
    const type =
      code === undefined ? "about:blank" : `urn:daykey:problem:${code.replaceAll("_", "-")}`;
    return [PROBLEM_MEDIA_TYPE, { type, title, status, ...(detail !== undefined && { detail }) }];
  },
};

/** Headers that described the answer the handler had begun. */
const ABANDONED = ["Content-Length", "Content-Encoding", "Content-Disposition", "ETag"];

/** Turns what a handler threw into this request's answer. */
export function tellError(
  ctx: AppContext,
  error: unknown,
  { log, format }: { log: Log; format: ErrorFormat },
): void {
  const known = answerable(error, format);
  noteError(ctx, { log, format }, error, known);
  // Cut off, an answer that has begun does not pass for a whole one.
  if (ctx.headerSent) ctx.res.destroy();
  else writeError(ctx, format, known);
}

const UNEXPECTED: AnswerableError = {
  status: 500,
  code: "server_error",
  title: "The server met an unexpected condition.",
  reason: "unexpected_error",
  headers: {},
};

/** The error as one that can be answered; of the unexpected nothing is told. */
function answerable(error: unknown, format: ErrorFormat): AnswerableError {
  const known = format.read(error) ?? (error instanceof ProblemError ? error : undefined);
  if (known !== undefined) return known;
  const unavailable = unavailableStore(error);
  if (unavailable === undefined) return UNEXPECTED;
  return {
    status: 503,
    code: "temporarily_unavailable",
    title: "The server cannot answer now. Try again.",
    reason: unavailable,
    headers: { "Retry-After": "1" },
  };
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
function noteError(
  ctx: AppContext,
  { log, format }: { log: Log; format: ErrorFormat },
  error: unknown,
  known: AnswerableError,
): void {
  const { requestId, logFields } = ctx.state;
  logFields.error ??= known.code;
  logFields.reason ??= known.reason;
  const isForeseen = error instanceof ProblemError || format.read(error) !== undefined;
  if (known.status < 500 || (isForeseen && known.cause === undefined)) return;
  const level = known.status === 503 ? "warn" : "error";
  log[level]({ requestId, err: error }, "the request failed");
}

function writeError(ctx: AppContext, format: ErrorFormat, error: AnswerableError): void {
  for (const name of ABANDONED) ctx.remove(name);
  ctx.status = error.status;
  ctx.set("Cache-Control", "no-store");
  ctx.set(format.headers);
  ctx.set(error.headers);
  // What is left of the body cannot be told from a next request by everyone on the way.
  if (isUnread(ctx.req)) ctx.set("Connection", "close");
  const own = ctx.state.errorBody;
  const [type, body] = own === undefined ? format.write(error) : [JSON_UTF8, own(error)];
  ctx.set("Content-Type", type);
  ctx.body = JSON.stringify(body);
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
    writeError(ctx, format, answerable(undefined, format));
    ctx.res.end(ctx.body);
  };
}
