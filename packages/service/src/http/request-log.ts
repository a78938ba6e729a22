import type { Log } from "../observe/log.ts";
import type { AppContext } from "./router.ts";

/**
 * One line a request, when its answer is ready. It names the route's pattern, never the URL: a URL may
 * hold a secret that was put in the wrong place (C15).
 */
export function logRequest(
  log: Log,
  ctx: AppContext,
  { route, seconds }: { route: string; seconds: number },
): void {
  const { requestId, address, logFields, quiet, isProbe } = ctx.state;
  const level = quiet === true || isProbe === true ? "debug" : "info";
  log[level](
    {
      requestId,
      method: ctx.method,
      route,
      status: ctx.status,
      durationMs: Math.round(seconds * 100_000) / 100,
      address,
      ...logFields,
    },
    "request",
  );
}
