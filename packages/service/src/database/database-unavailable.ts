import { OWN_MESSAGE } from "../observe/own-message.ts";

/** The database cannot answer now; the same request may succeed later. Answered 503 (D4). */
export class DatabaseUnavailable extends Error {
  readonly [OWN_MESSAGE] = true;

  constructor(options: { cause?: unknown } = {}) {
    super("The database cannot be reached, or does not answer in time.", options);
    this.name = "DatabaseUnavailable";
  }
}

const SYSTEM_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT", // the unix socket of a server that is not running
  "ENOTFOUND",
  "EAI_AGAIN",
  "EPIPE",
  "ETIMEDOUT",
]);

/** Failures of one statement against a limit; its connection is as good as before. */
const LIMIT_SQLSTATES = new Set([
  "53100", // disk_full
  "53200", // out_of_memory
  "55P03", // lock_not_available: lock_timeout
  "57014", // query_canceled: statement_timeout
]);

const CONNECTION_SQLSTATES = new Set([
  "25006", // read_only_sql_transaction: no longer the primary
  "25P03", // idle_in_transaction_session_timeout
  "53300", // too_many_connections
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now
  "57P05", // idle_session_timeout
]);

/** What pg's pool says when all its connections stay busy. */
const POOL_EXHAUSTED = "timeout exceeded when trying to connect";

/** pg gives these no code. */
const MESSAGES = [
  POOL_EXHAUSTED,
  "timeout expired",
  "Connection terminated",
  "Client has encountered a connection error and is not queryable",
  "Client was closed and is not queryable",
  "Query read timeout",
  "Cannot use a pool after calling end on the pool",
];

/** True of failures of the connection or of a limit, false of failures of the statement itself. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (error instanceof DatabaseUnavailable || isConnectionLost(error)) return true;
  return LIMIT_SQLSTATES.has(codeOf(error) ?? "");
}

/** True when the connection that failed must not be used again. */
export function isConnectionLost(error: unknown): boolean {
  const code = codeOf(error);
  if (code === undefined) {
    return error instanceof Error && MESSAGES.some((start) => error.message.startsWith(start));
  }
  return SYSTEM_CODES.has(code) || CONNECTION_SQLSTATES.has(code) || code.startsWith("08");
}

/** True when no connection became free: it says nothing of the server. */
export function isPoolExhausted(error: unknown): boolean {
  return error instanceof Error && error.message === POOL_EXHAUSTED;
}

function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
