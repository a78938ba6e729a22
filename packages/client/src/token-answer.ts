/** What the token endpoint answered, read strictly: a token set (RFC 6749 §5.1), or an error (§5.2). */
import type { JsonObject } from "@daykey/common/json-numbers";
import { isScopeToken } from "@daykey/common/scope";
import { retryAfterSeconds } from "./backoff.ts";
import type { Answer } from "./bounded-fetch.ts";
import { DaykeyError } from "./errors.ts";
import { jsonObjectOf } from "./json-answer.ts";

export interface TokenSet {
  accessToken: string;
  expiresInSeconds: number;
  /** Undefined when the answer names none: then it is what was asked (RFC 6749 §5.1). */
  scope: readonly string[] | undefined;
  refreshToken: string | undefined;
}

/** RFC 6750 §2.1. */
const BEARER_TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;
/** RFC 6749 §A.17; it is for the server alone. */
const REFRESH_TOKEN = /^[\x20-\x7E]+$/;
const ERROR_CODE = /^[\x20-\x21\x23-\x5B\x5D-\x7E]{1,64}$/;
const DESCRIPTION = /^[\x20-\x21\x23-\x5B\x5D-\x7E]{1,300}$/;
const LONGEST_LIFE_SECONDS = 400 * 86_400;

/**
 * @param options.sent all that must not be seen in an error, should the server send it back
 * @param options.type what the token must be
 * @throws {DaykeyError} `token_endpoint`, or `invalid_response`
 */
export function readTokenAnswer(
  answer: Answer,
  now: number,
  { sent, type: wanted = "Bearer" }: { sent: readonly string[]; type?: "Bearer" | "DPoP" },
): TokenSet {
  if (answer.status >= 400) throw refusalOf(answer, now, sent);
  const body = answer.status === 200 ? jsonObjectOf(answer) : undefined;
  if (!body) throw invalid("The token endpoint's answer is not 200 with a JSON object", answer);
  const { access_token: accessToken, token_type: type, refresh_token: refreshToken } = body;
  if (typeof accessToken !== "string" || !BEARER_TOKEN.test(accessToken)) {
    throw invalid("The answer's access_token is not one", answer);
  }
  // RFC 9449 §5: a bearer token in place of a bound one is not what was asked for.
  if (typeof type !== "string" || type.toLowerCase() !== wanted.toLowerCase()) {
    throw invalid(`The answer's token_type is not ${wanted}`, answer);
  }
  if (refreshToken !== undefined && !isRefreshToken(refreshToken)) {
    throw invalid("The answer's refresh_token is not one", answer);
  }
  const expiresInSeconds = Number(body["expires_in"]);
  const isInteger = typeof body["expires_in"] === "bigint";
  if (!isInteger || expiresInSeconds < 1 || expiresInSeconds > LONGEST_LIFE_SECONDS) {
    throw invalid("The answer's expires_in is not a number of seconds", answer);
  }
  return { accessToken, expiresInSeconds, scope: scopeOf(body, answer), refreshToken };
}

function isRefreshToken(value: unknown): value is string {
  return typeof value === "string" && REFRESH_TOKEN.test(value);
}

function scopeOf({ scope }: JsonObject, answer: Answer): string[] | undefined {
  if (scope === undefined) return undefined;
  const tokens = typeof scope === "string" ? scope.split(" ") : [""];
  if (!tokens.every(isScopeToken)) throw invalid("The answer's scope is not scope tokens", answer);
  return tokens;
}

function refusalOf(answer: Answer, now: number, sent: readonly string[]): DaykeyError {
  const { status, headers } = answer;
  const body = jsonObjectOf(answer) ?? {};
  const keep = (value: unknown, pattern: RegExp): string | undefined =>
    typeof value === "string" && pattern.test(value) && !sent.some((text) => value.includes(text))
      ? value
      : undefined;
  const oauthError = keep(body["error"], ERROR_CODE);
  const reason = oauthError === undefined ? "" : ` (${oauthError})`;
  return new DaykeyError("token_endpoint", `The token endpoint answered ${status}${reason}`, {
    status,
    oauthError,
    description: keep(body["error_description"], DESCRIPTION),
    retryAfterSeconds: retryAfterSeconds(headers.get("retry-after"), now),
  });
}

function invalid(message: string, { status }: Answer): DaykeyError {
  return new DaykeyError("invalid_response", message, { status });
}
