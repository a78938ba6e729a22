/** The composition root: from settings to two listeners. Tests call it with a clock of their own. */
import type { Clock } from "@daykey/common/clock";
import { createTrustedProxies } from "@daykey/service/address";
import { createApp } from "@daykey/service/app";
import { createHealth } from "@daykey/service/health";
import { type Listeners, startListeners } from "@daykey/service/lifecycle";
import type { Log } from "@daykey/service/log";
import { createMetrics } from "@daykey/service/metrics";
import { createJwks } from "./access/jwks.ts";
import { createTokenValidator } from "./access/jwt.ts";
import { createRequireScope } from "./access/require-scope.ts";
import type { ResourceServerConfig } from "./config.ts";
import { createMetadataEndpoint } from "./metadata/endpoint.ts";
import { createPrimesRouter, PRIMES_SCOPE } from "./primes/endpoint.ts";
import { createPrimeChecker } from "./primes/prime-pool.ts";
import { createTimeRouter, TIME_SCOPE } from "./time/endpoint.ts";

/** @throws {ListenError} when a port cannot be had */
export async function createResourceServer(
  config: ResourceServerConfig,
  { clock, log }: { clock: Clock; log: Log },
): Promise<Listeners> {
  const { resource, issuer } = config;
  const jwks = createJwks({ uri: config.jwksUri, algorithms: config.algorithms, clock, log });
  const validate = createTokenValidator({
    issuer,
    audience: resource,
    jwks,
    clock,
    maxLifeSeconds: config.accessTokenMaxSeconds,
    cacheSize: config.tokenCacheSize,
  });
  const requireScope = createRequireScope({ resource, validate });
  const checker = createPrimeChecker(config.primes);

  const health = createHealth();
  // Asking is also what fetches: now, and again with every probe until there are keys.
  const keysCheck = () => (jwks.isLoaded() ? undefined : "not fetched from the issuer");
  health.addCheck("keys", keysCheck);
  keysCheck();
  const metrics = createMetrics({ name: "resource-server" });
  const trustedProxies = createTrustedProxies(config.trustedProxies);
  const shared = { log, trustedProxies, errorFormat: "problem" as const };
  const listeners = await startListeners({
    public: {
      ...config.public,
      setting: "PORT",
      app: createApp({
        ...shared,
        metrics,
        routers: [
          createTimeRouter({ clock, requireScope }),
          createPrimesRouter({ checker, requireScope }),
          createMetadataEndpoint({ resource, issuer, scopes: [TIME_SCOPE, PRIMES_SCOPE] }),
          health.router,
        ],
      }),
    },
    private: {
      ...config.private,
      setting: "PRIVATE_PORT",
      app: createApp({ ...shared, routers: [metrics.router, health.router] }),
    },
    health,
    log,
    trustedProxies,
  });

  return {
    ...listeners,
    async stop() {
      await listeners.stop();
      await checker.close();
    },
  };
}
