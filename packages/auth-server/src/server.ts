/** The composition root: from settings to two listeners. Tests call it with a clock of their own. */
import { createTrustedProxies } from "@daykey/service/http/address";
import { createApp } from "@daykey/service/http/app";
import { createRootPage } from "@daykey/service/http/root-page";
import { startChores } from "@daykey/service/process/chores";
import { createDatabase, type Database } from "@daykey/service/database/database";
import { createHealth } from "@daykey/service/process/health";
import { type Listeners, startListeners } from "@daykey/service/process/lifecycle";
import { createListener } from "@daykey/service/database/listen";
import { measureHealth, measurePool, watchRedis } from "@daykey/service/observe/measure";
import { createMetrics } from "@daykey/service/observe/metrics";
import type { Surroundings } from "@daykey/service/process/run-server";
import { createAccessKeysStore } from "./access-keys/access-keys-store.ts";
import { createAccessKeyRegistrar } from "./access-keys/register.ts";
import { createAdminRouter, PREFIX } from "./admin/app.ts";
import { createAuditStore } from "./audit/audit-store.ts";
import { CHANGES_CHANNEL, createChangesStore } from "./changes/changes-store.ts";
import { type ChangeWatcher, startChangeWatcher } from "./changes/watcher.ts";
import { createAttempts } from "./authentication/attempts.ts";
import { createClientAuthenticator } from "./authentication/authenticate.ts";
import { createAssertionChecker } from "./authentication/authenticate-private-key-jwt.ts";
import { createClientCache } from "./clients/client-cache.ts";
import { createClientJwks } from "./authentication/client-jwks.ts";
import { createWriteLimit } from "./clients/write-limits.ts";
import { createClientsStore } from "./clients/clients-store.ts";
import { ensureFirstAdmin } from "./registration/first-admin.ts";
import { createClientRegistrar } from "./registration/register.ts";
import { createRegisteredKeysStore } from "./registration/registered-keys-store.ts";
import { createRegistrationsStore } from "./registration/registrations-store.ts";
import { createEndingSecrets } from "./registration/ending-secrets.ts";
import { createKeySetFetch } from "./authentication/jwks-fetch.ts";
import { createLastUsed } from "./authentication/last-used.ts";
import { createLastUsedStore } from "./authentication/last-used-store.ts";
import { openReplayStore } from "./authentication/open-replay-store.ts";
import { createSecretMaker } from "./registration/secrets.ts";
import { createSecretsStore } from "./registration/secrets-store.ts";
import type { AuthServerConfig } from "./config.ts";
import { createGrantsStore } from "./grants/grants-store.ts";
import { createKeysStore } from "./keys/keys-store.ts";
import { openKeyRing } from "./keys/open-key-ring.ts";
import { countAuditDamage, measureAuthServer } from "./metrics.ts";
import { requireMigrated } from "./migrate.ts";
import { createPublicEndpoints } from "./public-endpoints.ts";
import { createResourceDirectory } from "./resources/resource-directory.ts";
import { createResourcesStore } from "./resources/resources-store.ts";
import { createBearerAuthorizer } from "./issuer-access/bearer.ts";
import { createLiveSet } from "./revocation/live-set.ts";
import { createReadRights } from "./issuer-access/liveness.ts";
import { createRestoreStore } from "./revocation/restore-store.ts";
import { createRevocationsStore } from "./revocation/revocations-store.ts";
import { createAccessTokenReader } from "./issuer-access/access-token-reader.ts";
import { createReadAuthenticated } from "./authentication/client-endpoint.ts";
import { createUsageStore } from "./usage/usage-store.ts";

export interface AuthServer extends Listeners {
  /** Reads what changed in the database now, rather than within two seconds. */
  look(): Promise<void>;
}

const BAD_CREDENTIALS_WINDOW_SECONDS = 60;

/** News of a revocation outlives the tokens it hits by so much: clocks differ. */
const NEWS_MARGIN_SECONDS = 300;

/**
 * Starts the auth-server.
 * @throws {MigrationError} on a database without its schema, {CannotUnseal} with another master key,
 *   {ListenError} when a port cannot be had
 */
export async function createAuthServer(
  config: AuthServerConfig,
  surroundings: Surroundings,
): Promise<AuthServer> {
  const { log, tracing } = surroundings;
  const database = createDatabase({
    connectionString: config.databaseUrl,
    max: config.databasePool,
    preparedStatements: config.preparedStatements,
    log,
    tracing,
  });
  try {
    return await composeAuthServer(config, { ...surroundings, database });
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function composeAuthServer(
  config: AuthServerConfig,
  { clock, log, peers, tracing, database }: Surroundings & { database: Database },
): Promise<AuthServer> {
  const { issuer } = config;
  await requireMigrated(database);

  const { keys, sealer, masterKey } = await openKeyRing({
    store: createKeysStore(database),
    settings: config,
    clock,
    log,
  });

  const newsSeconds = config.accessTokenMaxSeconds + NEWS_MARGIN_SECONDS;
  const accessKeys = createAccessKeysStore(database, { issuer, newsSeconds, sealer });
  await accessKeys.reseal();
  const resources = createResourcesStore(database, issuer);
  const directory = await createResourceDirectory(resources);
  let epochFloor = 0;
  const clients = createClientsStore(database, {
    issuer,
    epochFloor: () => epochFloor,
    longestGrantSeconds: config.refreshAbsoluteMaxSeconds,
  });
  const registrar = createClientRegistrar({
    clients,
    resources,
    secrets: createSecretMaker(config),
    clock,
    limits: config,
  });
  if (config.adminCredentialFile !== undefined) {
    const path = config.adminCredentialFile;
    await ensureFirstAdmin({ path, clients, registrar, issuer, log });
  }

  const restorations = createRestoreStore(database, { newsSeconds });
  const replays = await openReplayStore({
    ...config,
    database,
    readRestoredAt: restorations.restoredAt,
    clock,
    log,
  });
  const cache = createClientCache({
    store: clients,
    clock,
    enumerationKey: masterKey.enumerationKey,
    capacity: config.clientCacheSize,
    isStale: () => watcher.ageSeconds() > config.issueStaleSeconds,
  });
  const revocations = createRevocationsStore(database, { newsSeconds });
  const liveSet = createLiveSet(revocations, { log });
  const watcher: ChangeWatcher = await startChangeWatcher({
    store: createChangesStore(database),
    handlers: {
      clientsChanged: cache.forget,
      everythingChanged: cache.forgetAll,
      async everyLook(look) {
        epochFloor = look.epochFloor;
        await liveSet.look(look);
      },
      async reload() {
        await Promise.all([keys.reload(), directory.reload(), replays.reload()]);
      },
    },
    clock,
    log,
    staleAfterSeconds: config.issueStaleSeconds,
  });

  const grants = createGrantsStore(database, { newsSeconds });
  const lastUsed = createLastUsed({ store: createLastUsedStore(database), clock });
  const readAuthenticated = createReadAuthenticated(
    createClientAuthenticator({
      cache,
      assertions: createAssertionChecker({
        issuer,
        clock,
        jwks: createClientJwks({
          fetchKeySet: createKeySetFetch({ allowPrivate: config.allowPrivateJwksUri }),
          capacity: config.clientCacheSize,
          clock,
          log,
        }),
      }),
      replays,
      limitNonces: createWriteLimit({
        rowsPerMinute: config.noncesPerClient,
        detail: "too_many_nonces",
        // Each question of a resource server takes a hash of its own, and its callers cause the questions.
        isExempt: directory.isOwner,
      }),
      lastUsed,
      attempts: createAttempts({
        failures: config.badCredentialsPerMinute,
        windowSeconds: BAD_CREDENTIALS_WINDOW_SECONDS,
      }),
      issuer,
      seedHash: config.seedHash,
      clock,
    }),
    directory.isOwner,
  );
  const readAccessToken = createAccessTokenReader({ keys, issuer });
  const readRights = createReadRights({
    cache,
    liveSet,
    directory,
    clock,
    maxLifeSeconds: config.accessTokenMaxSeconds,
  });
  const bearer = createBearerAuthorizer({ readAccessToken, readRights, issuer });

  const secrets = createSecretsStore(database, { issuer, newsSeconds });
  const endingSecrets = createEndingSecrets({ store: secrets, clock, log });
  const usage = createUsageStore(database, { issuer });
  const metrics = createMetrics({ name: "auth-server", peers });
  const countDamage = countAuditDamage(metrics);
  const audit = createAuditStore(database, sealer, (facts) => {
    countDamage(facts);
    log.error({ event: "audit_log_damaged", ...facts }, "a change met a damaged audit log");
  });
  await audit.reseal();
  const registrations = createRegistrationsStore(database, { issuer, newsSeconds });
  const stores = { accessKeys, registrations, resources };
  const admin = createAdminRouter({
    ...config,
    bearer,
    ...stores,
    registrar,
    secrets,
    clientKeys: createRegisteredKeysStore(database, { issuer, newsSeconds }),
    accessKeyRegistrar: createAccessKeyRegistrar({ ...stores, issuer, clock }),
    keys,
    grants,
    revocations,
    restorations,
    usage,
    audit,
    watcher,
  });

  const health = createHealth({ peers });
  health.addCheck("database", watcher.fault);
  health.addCheck("keys", keys.fault);
  watchRedis({ metrics, health }, replays.fault);
  measureHealth(metrics, health);
  measurePool(metrics, database.pool);
  measureAuthServer(metrics, { keys, liveSet, watcher, endingSecrets, clock, newsSeconds });
  const trustedProxies = createTrustedProxies(config.trustedProxies);
  const listeners = await startListeners({
    public: {
      ...config.public,
      setting: "PORT",
      app: createApp({
        log,
        trustedProxies,
        metrics,
        tracing,
        requestsPerAddress: config.requestsPerAddress,
        errorFormat: "oauth",
        routers: [
          ...createPublicEndpoints(config, {
            accessKeys,
            bearer,
            clock,
            directory,
            grants,
            keys,
            lastUsed,
            liveSet,
            log,
            readAccessToken,
            readAuthenticated,
            readRights,
            revocations,
            stopping: health.stopping,
            usage,
            watcher,
          }),
          health.router,
        ],
      }),
    },
    private: {
      ...config.private,
      setting: "PRIVATE_PORT",
      app: createApp({
        log,
        trustedProxies,
        tracing,
        errorFormat: "problem",
        routers: [
          admin,
          metrics.router,
          health.router,
          createRootPage({
            name: "Daykey auth-server, private side",
            about: "It is for operators: the admin API, metrics and readiness.",
            pointers: {
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
    limits: { idleSeconds: config.keepAliveSeconds },
    stopDelaySeconds: config.stopDelaySeconds,
    peers,
  }).catch((error: unknown) => {
    // They would keep a process alive that could not start.
    watcher.stop();
    replays.close();
    throw error;
  });

  const notifications = createListener({
    connectionString: config.databaseDirectUrl,
    channel: CHANGES_CHANNEL,
    onNotify: () => void watcher.look(),
    onConnect: () => void watcher.look(),
    log,
  });
  const chores = startChores(
    {
      rotateKeys: keys.rotate,
      cleanNonces: replays.clean,
      cleanGrants: grants.clean,
      cleanRevocations: revocations.clean,
      cleanUsage: usage.clean,
      recordLastUsed: lastUsed.write,
      countEndingSecrets: endingSecrets.count,
    },
    log,
  );

  return {
    ...listeners,
    look: watcher.look,
    async stop() {
      await listeners.stop();
      watcher.stop();
      replays.close();
      await Promise.all([chores.stop(), notifications.close()]);
      await lastUsed.write().catch((error: unknown) => {
        log.warn({ event: "last_used_unwritten", err: error }, "cannot record the last uses");
      });
      await database.close();
    },
  };
}
