/**
 * What can go wrong, as one class with stable codes. No error here ever holds a secret, a hash, an
 * assertion or a token: messages are fixed text, and what a server wrote is kept only if it cannot
 * hold what it was sent.
 */

/**
 * - `network`: no connection, or it broke off before the whole answer was there
 * - `timeout`: no whole answer in time
 * - `token_endpoint`: the token endpoint refused; see `status`, `oauthError`, `retryAfterSeconds`
 * - `metadata_endpoint`: the issuer's metadata was not answered with 200; see `status`
 * - `invalid_response`: an answer that does not follow its RFC, or is too large
 * - `issuer_mismatch`: the metadata is another issuer's
 * - `credential`: the credential file, secret or key cannot be read or is not one
 * - `insecure_url`: neither https nor this machine, and `allowInsecureRequests` is not set
 * - `cross_origin`: a request that would take the token to another origin than its resource
 * - `answer_signature`: an answer that was to be signed is not, or its signature does not hold
 * - `clock`: this machine's clock is more than an hour off the auth-server's, or an answer is forged that
 *   says so; no hash of another day is made
 * - `closed`: the token source was closed
 */
export type DaykeyErrorCode =
  | "network"
  | "timeout"
  | "token_endpoint"
  | "metadata_endpoint"
  | "invalid_response"
  | "issuer_mismatch"
  | "credential"
  | "insecure_url"
  | "cross_origin"
  | "answer_signature"
  | "clock"
  | "closed";

export interface DaykeyErrorDetails {
  /** The HTTP status, when there was an answer. */
  status?: number | undefined;
  /** The answer's `error` (RFC 6749 §5.2), such as `invalid_client`. */
  oauthError?: string | undefined;
  /** The answer's `error_description`. */
  description?: string | undefined;
  /** In how many seconds it makes sense to try again: asked by the server, or this side's own pause. */
  retryAfterSeconds?: number | undefined;
  cause?: unknown;
}

export class DaykeyError extends Error {
  override readonly name = "DaykeyError";
  readonly code: DaykeyErrorCode;
  readonly status: number | undefined;
  readonly oauthError: string | undefined;
  readonly description: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: DaykeyErrorCode, message: string, details: DaykeyErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.status = details.status;
    this.oauthError = details.oauthError;
    this.description = details.description;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  /** Without cause and stack, for a log line. */
  toJSON(): object {
    const { name, code, message, status, oauthError, description, retryAfterSeconds } = this;
    return { name, code, message, status, oauthError, description, retryAfterSeconds };
  }
}
