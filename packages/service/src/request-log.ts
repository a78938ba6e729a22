import type { Log } from "./log.ts";
import { type AppMiddleware, routePattern } from "./router.ts";

/**
 * One line a request, when its answer is ready. It names the route's pattern, never the URL: a URL may
 * hold a secret that was put in the wrong place (C15).
 */
export function requestLog(log: Log): AppMiddleware {
  return async (ctx, next) => {
    const startedAt = performance.now();
    await next();
    const { requestId, address, logFields, quiet } = ctx.state;
    const level = quiet === true ? "debug" : "info";
    log[level](
      {
        requestId,
        method: ctx.method,
        route: routePattern(ctx),
        status: ctx.status,
        durationMs: Math.round((performance.now() - startedAt) * 100) / 100,
        address,
        ...logFields,
      },
      "request",
    );
  };
}
