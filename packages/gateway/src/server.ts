/** The composition root: from settings to the listeners. Tests call it with a clock of their own. */
import { watchCredentialFile } from "@daykey/guard/credential-file";
import { createGuard, type GuardOptions } from "@daykey/guard/guard";
import { createRedisStore } from "@daykey/guard/redis-store";
import { createMemoryStore } from "@daykey/guard/store";
import { connectRedis } from "@daykey/service/database/redis";
import { createTrustedProxies } from "@daykey/service/http/address";
import { createApp } from "@daykey/service/http/app";
import { PROBLEM_FORMAT } from "@daykey/service/http/errors";
import { LIMITS } from "@daykey/service/http/http-server";
import { measureHealth, watchStore } from "@daykey/service/observe/measure";
import { createMetrics } from "@daykey/service/observe/metrics";
import { createPrivateApp } from "@daykey/service/process/private-app";
import { createHealth } from "@daykey/service/process/health";
import { ListenError, type Listeners, startListeners } from "@daykey/service/process/lifecycle";
import type { Surroundings } from "@daykey/service/process/run-server";
import { openServerTls } from "@daykey/service/process/tls";
import { createCheckProxied } from "./check.ts";
import type { GatewayConfig } from "./config.ts";
import { createDoorsEndpoint, finishAnswer } from "./doors-endpoint.ts";
import { startGrpcDoor } from "./envoy-grpc.ts";
import { createMetadataEndpoint } from "./metadata-endpoint.ts";
import { guardMetrics, measureRevocations } from "@daykey/guard/measure";
import { countDecisions } from "./metrics.ts";
import { createRouteTables } from "./route-tables.ts";
import { readRoutesFile } from "./routes-file.ts";

export interface Gateway extends Listeners {
  /** Undefined without GRPC_PORT. */
  readonly grpcPort: number | undefined;
  /** Takes the routes file as it is now. */
  reload(): Promise<void>;
}

type Deps = Surroundings & Pick<GuardOptions, "elapsed" | "feedLimits" | "usageSeconds">;

/**
 * Starts the gateway.
 * @throws {FileError} for a routes file that cannot be used; {RedisUnavailable} without a store that is set;
 *   {ListenError} when a port cannot be had
 */
export async function createGateway(config: GatewayConfig, deps: Deps): Promise<Gateway> {
  const { clock, log, elapsed = () => performance.now() / 1000, tracing } = deps;
  await using parts = new AsyncDisposableStack();
  const readRoutes = () =>
    readRoutesFile(config.readRoutes(), { name: config.routesFile, resource: config.resource });

  const redis =
    config.redisUrl === undefined ? undefined : await connectRedis({ url: config.redisUrl, log });
  parts.defer(() => redis?.close());
  if (!redis)
    log.warn(
      { event: "memory_store" },
      "REDIS_URL is not set: quotas and nonces are this process's own",
    );
  const store = redis ? createRedisStore(redis, clock) : createMemoryStore(clock);

  const metrics = createMetrics({ name: "gateway" });
  const counted = guardMetrics(metrics);
  const { credential: first, credentialFile: path } = config;
  const { issuer } = config.guard;
  const credential =
    first && path !== undefined
      ? watchCredentialFile({ path, first, issuer, elapsed, log, onChange: () => undefined })
      : first;
  const tables = createRouteTables({
    read: readRoutes,
    log,
    guardOf: (resource) =>
      createGuard({
        ...config.guard,
        resource,
        credential,
        // An operator who sets another address than ISSUER's knows the way there.
        allowInsecureRequests: true,
        store,
        log,
        metrics: counted,
        fetch: tracing?.fetch,
        clock,
        elapsed,
        feedLimits: deps.feedLimits,
        usageSeconds: deps.usageSeconds,
      }),
  });
  parts.defer(tables.close);

  const health = createHealth();
  health.addCheck("keys", () => tables.health().keys);
  health.addCheck("revocations", () => tables.health().revocations);
  health.addPartCheck("routes", () =>
    tables.isCurrent() ? undefined : "the file cannot be used, the one before is in force",
  );
  measureHealth(metrics, health);
  metrics.gauge({
    name: "routes_file_current",
    help: "0 since a reload that kept the routes before",
    read: () => Number(tables.isCurrent()),
  });
  if (credential) {
    measureRevocations(metrics, {
      ageSeconds: () => tables.feedAgeSeconds() ?? Infinity,
      size: tables.revocationsKnown,
    });
  }
  watchStore({ metrics, health }, "redis", redis?.fault);

  const trustedProxies = createTrustedProxies(config.trustedProxies);
  const check = createCheckProxied(tables.table);
  const count = countDecisions(metrics);
  metrics.onRequest(({ status, fields }) => count({ ...fields, status }));
  const shared = { log, trustedProxies, tracing, errorFormat: PROBLEM_FORMAT };
  const grpc =
    config.grpcPort === undefined
      ? undefined
      : await startGrpcDoor({
          host: config.public.host,
          port: config.grpcPort,
          check,
          trustedProxies,
          log,
          count,
        }).catch((error: unknown) => {
          const port = config.grpcPort ?? 0;
          throw new ListenError(
            { app: async () => {}, host: config.public.host, port, setting: "GRPC_PORT" },
            error as NodeJS.ErrnoException,
          );
        });
  if (grpc) parts.defer(() => grpc.stop(LIMITS.drainSeconds));
  const listeners = await startListeners({
    public: {
      ...config.public,
      setting: "PORT",
      tls: openServerTls(config.tls, { clock, log, metrics }),
      app: createApp({
        ...shared,
        metrics,
        finish: finishAnswer,
        routers: [
          createDoorsEndpoint({ doors: config.doors, check, trustedProxies }),
          createMetadataEndpoint({
            issuer,
            resources: () => tables.table().resources,
            isDpopRequired: config.guard.dpop.required,
            takesCertificates: config.clientCertificates !== "off",
          }),
          health.router,
        ],
      }),
    },
    private: {
      ...config.private,
      setting: "PRIVATE_PORT",
      app: createPrivateApp("Daykey gateway", { ...shared, metrics, health }),
    },
    health,
    log,
    trustedProxies,
    // All that nginx takes from a caller (four times 8 KiB) and says beside it, the target once more.
    limits: { idleSeconds: config.keepAliveSeconds, headerBytes: 64 * 1024 },
    stopDelaySeconds: config.stopDelaySeconds,
  });
  parts.defer(listeners.stop);

  const running = parts.move();
  return {
    ...listeners,
    grpcPort: grpc?.port,
    reload: tables.reload,
    stop: () => running.disposeAsync(),
  };
}
