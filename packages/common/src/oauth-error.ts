import { OWN_MESSAGE } from "./own-message.ts";
import type { OAuthErrorCode } from "./protocol.ts";

/** Each code with its one status (RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 7009 §2.2.1, RFC 8707 §2, RFC 9449 §5). */
export const OAUTH_ERRORS: Record<OAuthErrorCode, number> = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  unsupported_response_type: 400,
  invalid_scope: 400,
  invalid_target: 400,
  invalid_token: 401,
  insufficient_scope: 403,
  invalid_dpop_proof: 400,
  use_dpop_nonce: 400,
  slow_down: 429,
  temporarily_unavailable: 503,
  server_error: 500,
};

/**
 * A protocol failure: what the caller is told (`code`, `description`) and what only the log is told
 * (`detail`, `cause`). The auth-server's `oauth-errors.ts` says how it is answered.
 */
export class OAuthError extends Error {
  readonly [OWN_MESSAGE] = true;
  readonly code: OAuthErrorCode;
  readonly status: number;
  /** Fixed public text; it never holds what the caller sent. */
  readonly description: string;
  /** A short reason code for the log, such as `unknown_client`. */
  readonly detail: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: OAuthErrorCode,
    description: string,
    options: {
      status?: number;
      detail?: string;
      headers?: Record<string, string>;
      cause?: unknown;
    } = {},
  ) {
    super(`${code}: ${description}`, { cause: options.cause });
    this.name = "OAuthError";
    this.code = code;
    this.status = options.status ?? OAUTH_ERRORS[code];
    this.description = description;
    this.detail = options.detail;
    this.headers = options.headers ?? {};
  }
}

/** Whether a code is one of the RFCs'. */
export function isOAuthErrorCode(code: string | undefined): code is OAuthErrorCode {
  return code !== undefined && Object.hasOwn(OAUTH_ERRORS, code);
}
