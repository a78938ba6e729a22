/**
 * Which credential a request brings: exactly one, from a header. An access token comes as
 * `Authorization: Bearer` (RFC 6750 §2.1) or in the alias `X-PA-AUTH-TOKEN`; never in the URL.
 */
import type { IncomingHttpHeaders } from "node:http";
import { isBearerToken, readBearer } from "@daykey/common/bearer";

/** What was presented, or why that cannot be said. */
export type PresentedCredential =
  | { kind: "access_token"; token: string }
  /** Nothing, or a scheme that is not served here. */
  | { kind: "none" }
  | { kind: "malformed"; detail: string };

const ALIAS_HEADER = "x-pa-auth-token";

/** Repeated Authorization headers are refused before this (`service/request-rules.ts`). */
export function readCredential(
  headers: IncomingHttpHeaders,
  query: URLSearchParams,
): PresentedCredential {
  if (query.has("access_token")) {
    return {
      kind: "malformed",
      detail: "An access token belongs into a header, not into the URL.",
    };
  }
  const { authorization } = headers;
  const alias = headers[ALIAS_HEADER];
  if (authorization !== undefined && alias !== undefined) {
    return { kind: "malformed", detail: "Use exactly one credential." };
  }
  if (alias !== undefined) {
    // Node joins a repeated header with a comma, which no token holds.
    return typeof alias === "string" && isBearerToken(alias)
      ? { kind: "access_token", token: alias }
      : { kind: "malformed", detail: "X-PA-AUTH-TOKEN is not one access token." };
  }
  const bearer = readBearer(authorization);
  if (bearer.kind === "none") return { kind: "none" };
  return bearer.kind === "token"
    ? { kind: "access_token", token: bearer.token }
    : { kind: "malformed", detail: "The Authorization header is not of the form Bearer <token>." };
}
