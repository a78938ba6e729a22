import { OWN_MESSAGE } from "@daykey/common/own-message";

import { NotThePrimary } from "./primary.ts";

/**
 * The database cannot answer now; the same request may succeed later. Answered 503 (D4). The message
 * names the server and the reason, for the log and for standard error; a caller sees neither.
 */
export class DatabaseUnavailable extends Error {
  readonly [OWN_MESSAGE] = true;
  /** In a few words that follow the name of what failed. */
  readonly reason: string;

  /** @param options.server host, port and name, without credentials; undefined where many are meant */
  constructor({ cause, server }: { cause?: unknown; server?: string | undefined } = {}) {
    const name = server === undefined ? "The database" : `The database at ${server}`;
    const reason = reasonOf(cause);
    super(`${name} ${reason}.`, { cause });
    this.reason = reason;
    this.name = "DatabaseUnavailable";
  }
}

/** In our own words: what a server or a library says may quote what a caller sent. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refuses connections: nothing listens there",
  ENOENT: "has no socket there: it does not run",
  ENOTFOUND: "has a host name that is not known",
  EAI_AGAIN: "has a host name that cannot be looked up now",
  EHOSTUNREACH: "cannot be reached: there is no route to the host",
  ENETUNREACH: "cannot be reached: there is no route to the network",
  ECONNRESET: "closed the connection",
  "28000": "refuses the role",
  "28P01": "refuses the role's password",
  "3D000": "has no database of this name",
  "40001": "undid the change each time: others changed the same",
  "40P01": "undid the change each time: others changed the same",
  "53100": "has no disk space left",
  "53200": "has no memory left",
  "53300": "has no connection left for us",
  "55P03": "did not give up a lock in time",
  "57014": "did not finish a statement in time",
  "57P01": "is shutting down",
  "57P03": "is starting up or shutting down",
  "25006": "takes no changes: it is a standby, or default_transaction_read_only is on",
};

function reasonOf(cause: unknown): string {
  const code = codeOf(cause);
  // A socket fails in `connect`. `open` is for a file that the connection string names, such as sslrootcert.
  if (cause instanceof Error && "syscall" in cause && cause.syscall === "open") {
    return `has a file of certificates in its URL that cannot be read (${code})`;
  }
  if (code !== undefined) {
    const isTls = /CERT|SSL|TLS/.test(code);
    const reason = REASONS[code] ?? (isTls ? "has a certificate that is not accepted" : undefined);
    return `${reason ?? "cannot be used"} (${/^\w{1,64}$/.test(code) ? code : "unknown code"})`;
  }
  if (cause instanceof NotThePrimary) return "is a standby, not the primary";
  const message = cause instanceof Error ? cause.message : "";
  if (message === POOL_EXHAUSTED) return "has no connection free in this process's pool";
  if (message.includes(PG_PARTS.noTls)) return "does not speak TLS";
  if (message.includes(PG_PARTS.noPassword)) return "wants a password, and none is set";
  return "cannot be reached, or does not answer in time";
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

/** Parts of what pg says when it cannot begin. */
export const PG_PARTS = { noTls: "support SSL", noPassword: "password must be a string" };

/** pg gives these no code. That it still says them is a test (`internals.test.ts`). */
export const PG_MESSAGES = [
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
    return error instanceof Error && PG_MESSAGES.some((start) => error.message.startsWith(start));
  }
  return SYSTEM_CODES.has(code) || CONNECTION_SQLSTATES.has(code) || code.startsWith("08");
}

/** True when no connection became free: it says nothing of the server. */
export function isPoolExhausted(error: unknown): boolean {
  return error instanceof Error && error.message === POOL_EXHAUSTED;
}
/** The SQLSTATE, or the code of a system error. */
export function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
