/** The composition root: from settings to two listeners. Tests call it with a clock of their own. */
import type { Clock } from "@daykey/common/clock";
import { PATHS } from "@daykey/common/protocol";
import { createTrustedProxies } from "@daykey/service/http/address";
import { createApp } from "@daykey/service/http/app";
import { createRootPage } from "@daykey/service/http/root-page";
import { startChores } from "@daykey/service/process/chores";
import { createHealth } from "@daykey/service/process/health";
import { type Listeners, startListeners } from "@daykey/service/process/lifecycle";
import { measureHealth, measurePool, measureRedis } from "@daykey/service/observe/measure";
import { createMetrics } from "@daykey/service/observe/metrics";
import type { Surroundings } from "@daykey/service/process/run-server";
import { createApiKeyAuthenticator } from "@daykey/guard/keys/api-key";
import type { AskDeps } from "@daykey/guard/tokens/ask";
import { createApiKeyIntrospector, createIntrospector } from "@daykey/guard/tokens/introspection";
import { createJwks } from "@daykey/guard/tokens/jwks";
import { createTokenValidator } from "@daykey/guard/tokens/jwt";
import { createOwnClient, type OwnCredential } from "@daykey/guard/tokens/own-client";
import { createStrangers } from "@daykey/guard/tokens/strangers";
import { createOpaqueTokenValidator, isOpaque } from "@daykey/guard/tokens/opaque";
import { createSignatureVerifier } from "@daykey/guard/keys/http-signature";
import { createFindKey, createSignatureKeyQuestion } from "@daykey/guard/keys/signature-keys";
import { createSignedUrlVerifier } from "@daykey/guard/keys/signed-url";
import { createSimpleSignatureVerifier } from "@daykey/guard/keys/simple-signature";
import { createRefusals } from "@daykey/guard/refusals";
import { createRequireScope } from "@daykey/guard/koa";
import { createRevocationFeed, type FeedLimits } from "@daykey/guard/revocation/revocations";
import { createRevocationCheck } from "@daykey/guard/revocation/stale-policy";
import type { ResourceServerConfig } from "./config.ts";
import { watchCredentialFile } from "./credential-file.ts";
import { createDocsEndpoint } from "./docs/endpoint.ts";
import { createMetadataEndpoint } from "./metadata/endpoint.ts";
import { createOpenApiDocument } from "./metadata/openapi.ts";
import { measureResourceServer, quotaDecisions } from "./metrics.ts";
import { type OwnStore, openOwnStore } from "@daykey/guard/own-store";
import { createPrimesRouter, PRIMES_SCOPE } from "./primes/endpoint.ts";
import { createPrimeChecker } from "./primes/prime-pool.ts";
import { createMemoryQuota } from "@daykey/guard/quota/memory-quota";
import { createQuota } from "@daykey/guard/quota/quota";
import { createSeedRouter } from "./seed/endpoint.ts";
import { createAnswerKeysEndpoint, createAnswerSigning } from "./signed-answers/endpoint.ts";
import { deriveAnswerKeys } from "@daykey/guard/signed-answers/answer-key";
import { createTimeRouter, TIME_SCOPE } from "./time/endpoint.ts";
import { createSteadyClock } from "./time/steady-clock.ts";
import { createUsage, USAGE_SECONDS } from "@daykey/guard/quota/usage";

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
    usageSeconds = USAGE_SECONDS,
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
  const ownClient = createOwnClient({ authServerUrl, issuer, credential, clock });
  const fetch = tracing?.fetch ?? globalThis.fetch;
  const jwks = createJwks({
    uri: config.jwksUri,
    algorithms: config.algorithms,
    fetch,
    clock,
    log,
  });
  const feed = createRevocationFeed({
    authServerUrl,
    feedToken: (signal) => ownClient.token("revocations:read", signal),
    clock,
    elapsed,
    log,
    onSigningKey: jwks.heardRevoked,
    limits: feedLimits,
  });
  const strangers = createStrangers(elapsed);
  const asking: AskDeps = { authServerUrl, ownClient, fetch, strangers, clock, elapsed, log };
  const introspect = createIntrospector(asking);
  const isRevoked = createRevocationCheck({ feed, policy: config.stalePolicy, introspect });
  const whose = { issuer, audience: resource, clock };
  const validateOpaque = createOpaqueTokenValidator({ ...whose, introspect, feed });
  const validateJwt = createTokenValidator({
    ...whose,
    jwks,
    isRevoked,
    maxLifeSeconds: config.accessTokenMaxSeconds,
    cacheSize: config.tokenCacheSize,
  });
  const ask = createSignatureKeyQuestion(asking);
  const signing = { findKey: createFindKey({ ...whose, ask, feed }), resource, clock };
  const metrics = createMetrics({ name: "resource-server", peers });
  const usage = createUsage({
    authServerUrl,
    resource,
    token: (signal) => ownClient.token("introspect", signal),
    everySeconds: usageSeconds,
    clock,
    elapsed,
    log,
  });
  const requireScope = createRequireScope({
    refusals: createRefusals(resource),
    authenticators: {
      access_token: (token, ...rest) =>
        (isOpaque(token) ? validateOpaque : validateJwt)(token, ...rest),
      api_key: createApiKeyAuthenticator({
        ...whose,
        ask: createApiKeyIntrospector(asking),
        feed,
      }),
      http_signature: createSignatureVerifier({ ...signing, useNonce: store.nonces.use }),
      signed_url: createSignedUrlVerifier(signing),
      ...(config.simpleSignatures && {
        simple_signature: createSimpleSignatureVerifier({
          ...signing,
          defaultKeyId: config.simpleSignatures.defaultKeyId,
        }),
      }),
    },
    charge: createQuota({
      store: store.quotas,
      insurance: createMemoryQuota(clock),
      settings: config.quota,
      elapsed,
      log,
      count: quotaDecisions(metrics),
      usage,
    }),
  });
  const checker = createPrimeChecker(config.primes);
  const steadyClock = createSteadyClock(clock);

  const health = createHealth({ peers });
  // Asking is also what fetches: now, and again with every probe until there are keys.
  const keysCheck = () => (jwks.isLoaded() ? undefined : "not fetched from the issuer");
  health.addCheck("keys", keysCheck);
  keysCheck();
  health.addCheck("revocations", () => (feed.ageSeconds() < Infinity ? undefined : "not told yet"));
  measureHealth(metrics, health);
  measureResourceServer(metrics, { feed });
  if (store.pool) measurePool(metrics, store.pool);
  if (store.redisFault) {
    health.addPartCheck("redis", store.redisFault);
    measureRedis(metrics, store.redisFault);
  }
  const trustedProxies = createTrustedProxies(config.trustedProxies);
  const shared = { log, trustedProxies, tracing, errorFormat: "problem" as const };
  const listeners = await startListeners({
    public: {
      ...config.public,
      setting: "PORT",
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
          }),
          createAnswerKeysEndpoint(() => answerKeys),
          createDocsEndpoint({ issuer, document: createOpenApiDocument({ issuer }) }),
          createRootPage({
            name: "Daykey resource-server",
            about: `It tells the time and judges primes, for access tokens of ${issuer}.`,
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
      app: createApp({
        ...shared,
        routers: [
          metrics.router,
          health.router,
          createRootPage({
            name: "Daykey resource-server, private side",
            about: "It is for operators.",
            pointers: { metrics: "/metrics", readiness: "/readyz" },
          }),
        ],
      }),
    },
    health,
    log,
    trustedProxies,
    limits: { idleSeconds: config.keepAliveSeconds },
    stopDelaySeconds: config.stopDelaySeconds,
    peers,
  }).catch(async (error: unknown) => {
    // It would keep a process alive that could not start.
    await Promise.all([feed.close(), usage.stop()]);
    throw error;
  });

  const chores = startChores(
    { cleanQuotas: store.quotas.clean, cleanNonces: store.nonces.clean },
    log,
  );

  return {
    ...listeners,
    async stop() {
      await listeners.stop();
      await Promise.all([feed.close(), checker.close(), chores.stop(), usage.stop()]);
      await store.close();
    },
  };
}
