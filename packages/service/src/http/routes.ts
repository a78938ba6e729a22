/**
 * All routers of a listener as one step. A path that stands in a route as it is, without parameters, is
 * looked up in a table; asking each router's patterns in turn, and composing what they found, took
 * longer than most answers. Every other path, and whatever no route takes, goes through the routers.
 */
import type { Layer } from "@koa/router";
import type { AppContext, AppMiddleware, AppRouter } from "./router.ts";

export type AnswerRoute = (ctx: AppContext) => Promise<void>;

interface Route {
  /** What `routePattern` and `allowedMethods` ask. */
  readonly matched: readonly Layer[];
  readonly stack: readonly AppMiddleware[];
}

/** Neither parameters nor wildcards nor anything else that path-to-regexp reads as more than itself. */
const PLAIN_PATH = /^[\w./-]+$/;

/** @param unmatched refuses what no route took */
export function createRoutes(
  routers: readonly AppRouter[],
  unmatched: (ctx: AppContext) => never,
): AnswerRoute {
  const table = tableOf(routers);
  const dispatchers = routers.map((router) => router.routes() as AppMiddleware);

  return (ctx) => {
    const route = table.get(`${ctx.method} ${ctx.path}`);
    if (route === undefined) return run(dispatchers, ctx, unmatched);
    // As the router sets them: whoever reads parameters finds none.
    Object.assign(ctx, { matched: [...route.matched], params: {} });
    return run(route.stack, ctx, unmatched);
  };
}

function tableOf(routers: readonly AppRouter[]): Map<string, Route> {
  const table = new Map<string, Route>();
  for (const { path, methods } of routers.flatMap(({ stack }) => stack)) {
    if (typeof path !== "string" || !PLAIN_PATH.test(path)) continue;
    for (const method of methods) {
      const route = routeOf(routers, path, method);
      if (route) table.set(`${method} ${path}`, route);
    }
  }
  return table;
}

/** What the routers, asked in turn, would run; undefined when parameters come into it. */
function routeOf(routers: readonly AppRouter[], path: string, method: string): Route | undefined {
  const matched: Layer[] = [];
  const stack: AppMiddleware[] = [];
  for (const router of routers) {
    const found = router.match(path, method);
    matched.push(...found.path);
    if (!found.route) continue;
    stack.push(...found.pathAndMethod.flatMap((layer) => layer.stack as AppMiddleware[]));
  }
  return matched.every(({ paramNames }) => paramNames.length === 0)
    ? { matched, stack }
    : undefined;
}

/** Whatever a step throws is thrown, or rejects; the caller awaits this where it catches. */
function run(
  stack: readonly AppMiddleware[],
  ctx: AppContext,
  unmatched: (ctx: AppContext) => never,
  at = 0,
): Promise<void> {
  const step = stack[at];
  if (step === undefined) return unmatched(ctx);
  const next = (): Promise<void> => run(stack, ctx, unmatched, at + 1);
  return Promise.resolve(step(ctx, next) as void | Promise<void>);
}
