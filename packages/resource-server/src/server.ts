/** The composition root: from settings to two listeners. Tests call it with a clock of their own. */
import type { Clock } from "@daykey/common/clock";
import { PATHS } from "@daykey/common/protocol";
import { PROBLEM_FORMAT } from "@daykey/service/http/errors";
import { createTrustedProxies } from "@daykey/service/http/address";
import { createApp } from "@daykey/service/http/app";
import { createRootPage } from "@daykey/service/http/root-page";
import { createPrivateApp } from "@daykey/service/process/private-app";
import { createHealth } from "@daykey/service/process/health";
import { type Listeners, startListeners } from "@daykey/service/process/lifecycle";
import { measureHealth, measurePool, watchStore } from "@daykey/service/observe/measure";
import { createMetrics } from "@daykey/service/observe/metrics";
import type { Surroundings } from "@daykey/service/process/run-server";
import { openServerTls } from "@daykey/service/process/tls";
import { watchCredentialFile } from "@daykey/guard/credential-file";
import { createGuard } from "@daykey/guard/guard";
import type { FeedLimits } from "@daykey/guard/revocation/revocations";
import { deriveAnswerKeys } from "@daykey/guard/signed-answers/answer-key";
import type { OwnCredential } from "@daykey/guard/tokens/own-client";
import type { ResourceServerConfig } from "./config.ts";
import { createDocsEndpoint } from "./docs/endpoint.ts";
import { createMetadataEndpoint } from "./metadata/endpoint.ts";
import { createOpenApiDocument } from "./metadata/openapi.ts";
import { createRequireScope } from "./guarded.ts";
import { guardMetrics, measureRevocations } from "@daykey/guard/measure";
import { type OwnStore, openOwnStore } from "./own-store.ts";
import { createPrimesRouter, PRIMES_SCOPE } from "./primes/endpoint.ts";
import { createPrimeChecker } from "./primes/prime-pool.ts";
import { createSeedRouter } from "./seed/endpoint.ts";
import { createAnswerKeysEndpoint, createAnswerSigning } from "./signed-answers/endpoint.ts";
import { createTimeRouter, TIME_SCOPE } from "./time/endpoint.ts";
import { createSteadyClock } from "./time/steady-clock.ts";

interface Deps extends Surroundings {
  /** Seconds of a clock that nobody sets; it tells how old the feed is. */
  elapsed?: Clock;
  feedLimits?: Partial<FeedLimits>;
  /** Between reports of usage. */
  usageSeconds?: number;
}

/**
 * Starts the resource-server.
 * @throws {DatabaseUnavailable}, {MigrationError} or {RedisUnavailable} without a store that is set,
 *   {ListenError} when a port cannot be had
 */
export async function createResourceServer(
  config: ResourceServerConfig,
  deps: Deps,
): Promise<Listeners> {
  const store = await openOwnStore(config.store, deps);
  try {
    return await composeResourceServer(config, deps, store);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function composeResourceServer(
  config: ResourceServerConfig,
  {
    clock,
    log,
    elapsed = () => performance.now() / 1000,
    feedLimits,
    usageSeconds,
    peers,
    tracing,
  }: Deps,
  store: OwnStore,
): Promise<Listeners> {
  const { resource, issuer, authServerUrl } = config;
  const { credential: first, credentialFile: path } = config;
  let answerKeys = config.answerKeys ?? deriveAnswerKeys(first.clientSecret, resource);
  /** Verifiers find the key before still published. */
  function onChange({ clientSecret }: OwnCredential): void {
    if (config.answerKeys) return;
    const [next] = deriveAnswerKeys(clientSecret, resource);
    answerKeys = [next, answerKeys[0]];
  }
  const credential =
    path === undefined
      ? first
      : watchCredentialFile({ path, first, issuer, elapsed, log, onChange });
  const metrics = createMetrics({ name: "resource-server", peers });
  const guard = createGuard({
    issuer,
    resource,
    credential,
    authServerUrl,
    jwksUri: config.jwksUri,
    // An operator who sets another address than ISSUER's knows the way there.
    allowInsecureRequests: true,
    stalePolicy: config.stalePolicy,
    algorithms: config.algorithms,
    accessTokenMaxSeconds: config.accessTokenMaxSeconds,
    dpop: config.dpop,
    clientCertProxies: config.clientCertificates === "proxy" ? config.trustedProxies : [],
    tokenCacheSize: config.tokenCacheSize,
    simpleSignatures: config.simpleSignatures,
    store,
    quota: config.quota,
    log,
    metrics: guardMetrics(metrics),
    fetch: tracing?.fetch,
    clock,
    elapsed,
    feedLimits,
    usageSeconds,
  });
  const requireScope = createRequireScope(guard);
  const checker = createPrimeChecker(config.primes);
  const steadyClock = createSteadyClock(clock);

  const health = createHealth({ peers });
  health.addCheck("keys", () => guard.health().keys);
  health.addCheck("revocations", () => guard.health().revocations);
  measureHealth(metrics, health);
  if (guard.revocations) measureRevocations(metrics, guard.revocations);
  if (store.pool) measurePool(metrics, store.pool);
  watchStore({ metrics, health }, "redis", store.redisFault);
  watchStore({ metrics, health }, "database", store.databaseFault);
  const trustedProxies = createTrustedProxies(config.trustedProxies);
  const shared = { log, trustedProxies, tracing, errorFormat: PROBLEM_FORMAT };
  const listeners = await startListeners({
    public: {
      ...config.public,
      setting: "PORT",
      tls: openServerTls(config.tls, { clock, log, metrics }),
      app: createApp({
        ...shared,
        metrics,
        requestsPerAddress: config.requestsPerAddress,
        finish: createAnswerSigning({ keys: () => answerKeys, resource, clock }),
        routers: [
          createTimeRouter({ clock: steadyClock, requireScope }),
          createPrimesRouter({ checker, requireScope }),
          createSeedRouter({
            clock: steadyClock,
            checker,
            requireScope,
            dailyLimit: config.seedDailyLimit,
          }),
          createMetadataEndpoint({
            resource,
            issuer,
            scopes: [TIME_SCOPE, PRIMES_SCOPE],
            answerAlgorithms: answerKeys.map(({ publicJwk }) => publicJwk.alg),
            isDpopRequired: config.dpop.required,
            takesCertificates: config.clientCertificates !== "off",
          }),
          createAnswerKeysEndpoint(() => answerKeys),
          createDocsEndpoint({ issuer, document: createOpenApiDocument({ issuer }) }),
          createRootPage({
            name: "Daykey resource-server",
            about: `It tells the time and checks primes, for access tokens of ${issuer}.`,
            pointers: {
              documentation: "/docs",
              "OpenAPI document": "/openapi.json",
              metadata: PATHS.protectedResourceMetadata,
            },
          }),
          health.router,
        ],
      }),
    },
    private: {
      ...config.private,
      setting: "PRIVATE_PORT",
      app: createPrivateApp("Daykey resource-server", { ...shared, metrics, health }),
    },
    health,
    log,
    trustedProxies,
    limits: { idleSeconds: config.keepAliveSeconds },
    stopDelaySeconds: config.stopDelaySeconds,
    peers,
  }).catch(async (error: unknown) => {
    // It would keep a process alive that could not start.
    await guard.close();
    throw error;
  });

  return {
    ...listeners,
    async stop() {
      await listeners.stop();
      await Promise.all([guard.close(), checker.close()]);
      await store.close();
    },
  };
}
