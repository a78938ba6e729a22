/** How this server's listeners tell the errors of OAuth: as RFC 6749 §5.2 wants, or as problems (RFC 9457). */
import { isOAuthErrorCode, OAuthError } from "@daykey/common/oauth-error";
import {
  type AnswerableError,
  type ErrorFormat,
  PROBLEM_FORMAT,
} from "@daykey/service/http/errors";
import { JSON_UTF8 } from "@daykey/service/http/json-answer";

function read(error: unknown): AnswerableError | undefined {
  if (!(error instanceof OAuthError)) return undefined;
  const { status, code, description: title, detail: reason, headers, cause } = error;
  return { status, code, title, reason, headers, cause };
}

/** For the codes of the RFCs that an error which is not one of OAuth's stands for, by its status. */
const CODES: Readonly<Record<number, string>> = {
  429: "slow_down",
  500: "server_error",
  503: "temporarily_unavailable",
};

/** RFC 6749 §5.2. What is no error of OAuth's is `invalid_request` unless its status says more. */
export const OAUTH_FORMAT: ErrorFormat = {
  read,
  headers: { Pragma: "no-cache" },
  write({ status, code, title, detail }) {
    const error = isOAuthErrorCode(code) ? code : (CODES[status] ?? "invalid_request");
    return [JSON_UTF8, { error, error_description: detail ?? title }];
  },
};

/** RFC 9457, for errors of OAuth too, as the guard of the admin API throws them. */
export const OAUTH_PROBLEM_FORMAT: ErrorFormat = { ...PROBLEM_FORMAT, read };
