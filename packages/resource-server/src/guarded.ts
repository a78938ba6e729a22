/** The guard before this server's routes: its refusals become problems, and what it knows goes into the log line. */
import type { CheckResult } from "@daykey/guard/check";
import type { Guard } from "@daykey/guard/guard";
import { protect } from "@daykey/guard/koa";
import { linesOf, peerCertificateOf, type RouteOptions } from "@daykey/guard/node";
import type { Refusal } from "@daykey/guard/refusals";
import { type CheckRequest, RequestBodyError } from "@daykey/guard/request";
import { BodyError, readBody } from "@daykey/service/http/body";
import { problem } from "@daykey/service/http/problem-error";
import { targetUrl } from "@daykey/service/http/request-rules";
import type { AppContext, AppMiddleware } from "@daykey/service/http/router";

/** A middleware that lets a request with this scope through, for one route or for all of a router. */
export type RequireScope = (scope: string, options?: RouteOptions) => AppMiddleware;

export function createRequireScope(guard: Pick<Guard, "check">): RequireScope {
  const hooks = { request: requestOf, told: note, refuse };
  return (scope, options) => protect<AppContext>(guard, scope, { ...options, ...hooks });
}

/** A request as the guard is to see it; its body can be read again by the route. */
function requestOf({ req, state }: Pick<AppContext, "req" | "state">): CheckRequest {
  return {
    method: req.method ?? "",
    url: targetUrl(req),
    headers: linesOf(req),
    address: state.addressKey,
    certificate: () => peerCertificateOf(req),
    peer: req.socket.remoteAddress,
    async body(limitBytes) {
      try {
        return await readBody(req, limitBytes);
      } catch (error) {
        throw error instanceof BodyError ? new RequestBodyError(error.reason) : error;
      }
    },
  };
}

function note({ state }: AppContext, result: CheckResult): void {
  Object.assign(state.logFields, result.log);
  if (result.allowed) state.clientId = result.access.clientId;
}

function refuse(_: AppContext, { code, status, body, reason, headers }: Refusal): never {
  // Type and length are those of the form in which this route tells errors.
  const { "Content-Type": _type, "Cache-Control": _cache, ...others } = headers;
  const { title, detail } = body;
  throw problem(code ?? status, {
    title,
    reason,
    headers: others,
    ...(detail !== undefined && { detail }),
  });
}
