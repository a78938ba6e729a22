/** What runs once the features are composed: the minute's chores, and the two listeners. */
import { createTrustedProxies } from "@daykey/service/http/address";
import { createApp } from "@daykey/service/http/app";
import { createRootPage } from "@daykey/service/http/root-page";
import type { AppRouter } from "@daykey/service/http/router";
import type { Metrics } from "@daykey/service/observe/metrics";
import { startChores } from "@daykey/common/chores";
import type { Health } from "@daykey/service/process/health";
import { type Listeners, startListeners } from "@daykey/service/process/lifecycle";
import type { Surroundings } from "@daykey/service/process/run-server";
import { openServerTls } from "@daykey/service/process/tls";
import { PREFIX } from "./admin/app.ts";
import type { Ground } from "./ground.ts";
import { OAUTH_FORMAT, OAUTH_PROBLEM_FORMAT } from "./oauth-errors.ts";

/** @throws {ListenError} when a port cannot be had */
export async function serve({
  settings,
  opened,
  clock,
  log,
  tracing,
  peers,
  metrics,
  health,
  privateRouters,
  publicRouters,
  chores,
}: Pick<Ground, "settings" | "opened" | "clock"> &
  Pick<Surroundings, "log" | "tracing" | "peers"> & {
    metrics: Metrics;
    health: Health;
    privateRouters: readonly AppRouter[];
    publicRouters: readonly AppRouter[];
    chores: Parameters<typeof startChores>[0];
  }): Promise<Listeners> {
  opened.defer(startChores(chores, log).stop);
  const trustedProxies = createTrustedProxies(settings.trustedProxies);
  const both = { log, trustedProxies, tracing };
  const listeners = await startListeners({
    public: {
      ...settings.public,
      setting: "PORT",
      tls: openServerTls(settings.tls, { clock, log, metrics }),
      app: createApp({
        ...both,
        metrics,
        requestsPerAddress: settings.requestsPerAddress,
        errorFormat: OAUTH_FORMAT,
        routers: [...publicRouters, health.router],
      }),
    },
    private: {
      ...settings.private,
      setting: "PRIVATE_PORT",
      app: createApp({
        ...both,
        errorFormat: OAUTH_PROBLEM_FORMAT,
        routers: [
          ...privateRouters,
          metrics.router,
          health.router,
          createRootPage({
            name: "Daykey auth-server, private side",
            about: "It is for operators: the admin API, metrics and readiness.",
            pointers: {
              ...(settings.console && { console: "/console" }),
              "OpenAPI document": `${PREFIX}/openapi.json`,
              metrics: "/metrics",
              readiness: "/readyz",
            },
          }),
        ],
      }),
    },
    health,
    log,
    trustedProxies,
    limits: { idleSeconds: settings.keepAliveSeconds },
    stopDelaySeconds: settings.stopDelaySeconds,
    peers,
  });
  opened.defer(listeners.stop);
  return listeners;
}
