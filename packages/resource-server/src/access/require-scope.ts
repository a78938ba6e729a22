/**
 * The guard of every route: a valid access token with the route's scope, or the answer of RFC 6750 §3.
 * It stands before anything is parsed or computed.
 */
import type { AccessTokenClaims } from "@daykey/common/access-token";
import { PATHS } from "@daykey/common/protocol";
import { ProblemError } from "@daykey/service/problem-error";
import type { AppMiddleware } from "@daykey/service/router";
import { readCredential } from "./credential.ts";
import { KeysUnavailable } from "./jwks.ts";
import { InvalidToken, type ValidateToken } from "./jwt.ts";
import { RevocationsUnknown } from "./stale-policy.ts";

/** A middleware that lets a request with this scope through. */
export type RequireScope = (scope: string) => AppMiddleware;

export function createRequireScope({
  resource,
  validate,
}: {
  /** This resource's URI; its metadata says where tokens come from (RFC 9728 §5.1). */
  resource: string;
  validate: ValidateToken;
}): RequireScope {
  const challenge = (parameters: Record<string, string> = {}): Record<string, string> => {
    const all = {
      realm: resource,
      ...parameters,
      resource_metadata: `${resource}${PATHS.protectedResourceMetadata}`,
    };
    const list = Object.entries(all).map(([name, value]) => `${name}="${value}"`);
    return { "WWW-Authenticate": `Bearer ${list.join(", ")}` };
  };

  return (scope) => async (ctx, next) => {
    const { logFields } = ctx.state;
    const credential = readCredential(ctx.req.headers, new URLSearchParams(ctx.querystring));
    if (credential.kind === "none") {
      throw new ProblemError({
        status: 401,
        title: "An access token is required",
        reason: "no_credential",
        headers: challenge(),
      });
    }
    if (credential.kind === "malformed") {
      throw new ProblemError({
        status: 400,
        code: "invalid-request",
        title: "The request is malformed",
        detail: credential.detail,
        reason: "malformed_credential",
        headers: challenge({ error: "invalid_request" }),
      });
    }

    const note = ({ client_id, cred, gid }: AccessTokenClaims): void =>
      void Object.assign(logFields, { client: client_id, kid: cred, grant: gid });
    const claims = await validate(credential.token).catch((error: unknown) => {
      if (error instanceof InvalidToken && error.claims) note(error.claims);
      throw toProblem(error, challenge({ error: "invalid_token" }));
    });
    note(claims);

    if (!claims.scope.split(" ").includes(scope)) {
      throw new ProblemError({
        status: 403,
        code: "insufficient-scope",
        title: "The access token lacks a scope",
        detail: `This needs the scope ${scope}.`,
        reason: "insufficient_scope",
        headers: challenge({ error: "insufficient_scope", scope }),
      });
    }
    await next();
  };
}

function toProblem(error: unknown, headers: Record<string, string>): unknown {
  if (error instanceof InvalidToken) {
    return new ProblemError({
      status: 401,
      code: "invalid-token",
      title: "The access token is not valid here",
      reason: error.reason,
      headers,
    });
  }
  if (error instanceof KeysUnavailable) {
    return new ProblemError({
      status: 503,
      code: "keys-unavailable",
      title: "Access tokens cannot be checked now",
      reason: "keys_unavailable",
      headers: { "Retry-After": "1" },
    });
  }
  if (error instanceof RevocationsUnknown) {
    return new ProblemError({
      status: 503,
      code: "revocations-unknown",
      title: "Access tokens cannot be checked now",
      reason: error.reason,
      headers: { "Retry-After": "1" },
    });
  }
  return error;
}
