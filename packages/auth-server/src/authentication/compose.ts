/** Client authentication, put together: one reader of authenticated requests for every endpoint. */
import type { ClientCache } from "../clients/client-cache.ts";
import { createWriteLimit, type WriteLimit } from "../clients/write-limits.ts";
import type { Ground } from "../ground.ts";
import type { ResourceDirectory } from "../resources/resource-directory.ts";
import { createTrustedProxies } from "@daykey/service/http/address";
import { createCertificateReader } from "@daykey/service/http/client-certificate";
import { createAttempts } from "./attempts.ts";
import { createClientAuthenticator } from "./authenticate.ts";
import { createAssertionChecker } from "./authenticate-private-key-jwt.ts";
import { createCertificateChecker } from "./authenticate-certificate.ts";
import { openCertificateAuthorities } from "./certificate-authorities.ts";
import { createReadAuthenticated, type ReadAuthenticated } from "./client-endpoint.ts";
import { createClientJwks } from "./client-jwks.ts";
import { createKeySetFetch } from "./jwks-fetch.ts";
import { createLastUsed, type LastUsed } from "./last-used.ts";
import { createLastUsedStore } from "./last-used-store.ts";
import { openReplayStore, type OpenReplayStore } from "./open-replay-store.ts";
import type { Workloads } from "./workload.ts";

const BAD_CREDENTIALS_WINDOW_SECONDS = 60;

export interface Authentication {
  readAuthenticated: ReadAuthenticated;
  lastUsed: LastUsed;
  replays: OpenReplayStore;
  /** Limits what one client may have remembered as used. */
  limitNonces: WriteLimit;
}

export async function composeAuthentication({
  settings,
  issuer,
  database,
  redis,
  clock,
  log,
  opened,
  cache,
  directory,
  restorations,
  workloads,
}: Pick<Ground, "settings" | "issuer" | "database" | "redis" | "clock" | "log" | "opened"> & {
  cache: ClientCache;
  directory: ResourceDirectory;
  restorations: { restoredAt(): Promise<number> };
  workloads: Workloads;
}): Promise<Authentication> {
  const replays = await openReplayStore({
    database,
    redis,
    readRestoredAt: restorations.restoredAt,
    clock,
  });
  const lastUsed = createLastUsed({ store: createLastUsedStore(database), clock });
  opened.defer(async () => {
    await lastUsed.write().catch((error: unknown) => {
      log.warn({ event: "last_used_unwritten", err: error }, "cannot record the last uses");
    });
  });

  const jwks = createClientJwks({
    fetchKeySet: createKeySetFetch({ allowPrivate: settings.allowPrivateJwksUri }),
    capacity: settings.clientCacheSize,
    clock,
    log,
  });
  const { clientCaFile } = settings;
  const authorities =
    clientCaFile === undefined ? undefined : openCertificateAuthorities(clientCaFile, { log });
  if (authorities) opened.defer(authorities.close);
  const limitNonces = createWriteLimit({
    rowsPerMinute: settings.noncesPerClient,
    detail: "too_many_nonces",
    // A resource server needs a hash for each question, and its callers cause the questions.
    isExempt: directory.isOwner,
  });
  const authenticator = createClientAuthenticator({
    cache,
    assertions: createAssertionChecker({ issuer, clock, jwks }),
    certificates: createCertificateChecker({ authorities, jwks }),
    workloads,
    replays,
    limitNonces,
    lastUsed,
    attempts: createAttempts({
      failures: settings.badCredentialsPerMinute,
      windowSeconds: BAD_CREDENTIALS_WINDOW_SECONDS,
    }),
    issuer,
    seedHash: settings.seedHash,
    isOpenToIdJag: settings.tokenExchange,
    clock,
  });
  return {
    readAuthenticated: createReadAuthenticated(
      authenticator,
      directory.isOwner,
      createCertificateReader({
        source: settings.clientCertificates,
        trustedProxies: createTrustedProxies(settings.trustedProxies),
      }),
    ),
    lastUsed,
    replays,
    limitNonces,
  };
}
