/** The private listener of a process that operators only look at: metrics, health and a first page. */
import { type App, createApp } from "../http/app.ts";
import { createRootPage } from "../http/root-page.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Health } from "./health.ts";

type Shared = Pick<
  Parameters<typeof createApp>[0],
  "log" | "trustedProxies" | "errorFormat" | "tracing"
>;

/** @param name what this process is, such as "Daykey gateway" */
export function createPrivateApp(
  name: string,
  { metrics, health, ...shared }: Shared & { metrics: Metrics; health: Health },
): App {
  return createApp({
    ...shared,
    routers: [
      metrics.router,
      health.router,
      createRootPage({
        name: `${name}, private side`,
        about: "It is for operators.",
        pointers: { metrics: "/metrics", readiness: "/readyz" },
      }),
    ],
  });
}
