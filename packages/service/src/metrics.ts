import { collectDefaultMetrics, Histogram, Registry } from "prom-client";

import { type AppMiddleware, type AppRouter, createRouter, routePattern } from "./router.ts";

export interface Metrics {
  /** For metrics of a feature's own. Their labels must have few values: never a client id. */
  readonly registry: Registry;
  /** `GET /metrics`, for a private listener. */
  readonly router: AppRouter;
  readonly httpMiddleware: AppMiddleware;
}

/** Metrics of one process: its own, and the duration of every request by method, route and status. */
export function createMetrics({ name }: { name: string }): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service: name });
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time from the request's headers to its answer",
    labelNames: ["method", "route", "status"],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });

  const router = createRouter();
  router.get("/metrics", async (ctx) => {
    ctx.state.quiet = true;
    ctx.set("Content-Type", registry.contentType);
    ctx.set("Cache-Control", "no-store");
    ctx.body = await registry.metrics();
  });

  return {
    registry,
    router,
    async httpMiddleware(ctx, next) {
      const startedAt = performance.now();
      await next();
      const route = routePattern(ctx);
      // The method of an unmatched request is whatever a stranger chose.
      const method = route === "unmatched" ? "other" : ctx.method;
      duration.observe(
        { method, route, status: ctx.status },
        (performance.now() - startedAt) / 1000,
      );
    },
  };
}
