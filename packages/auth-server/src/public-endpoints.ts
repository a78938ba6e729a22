/** What the public listener answers: the endpoints for clients and resource-servers, from the parts they share. */
import type { Clock } from "@daykey/common/clock";
import { PATHS } from "@daykey/common/protocol";
import { createCors } from "@daykey/service/http/cors";
import { createRootPage } from "@daykey/service/http/root-page";
import type { Log } from "@daykey/service/observe/log";
import type { ChangeWatcher } from "./changes/watcher.ts";
import type { AccessKeysStore } from "./access-keys/access-keys-store.ts";
import { createSignatureKeyEndpoint } from "./access-keys/endpoint.ts";
import { createPresentedKeys } from "./access-keys/present.ts";
import type { LastUsed } from "./authentication/last-used.ts";
import type { AuthServerConfig } from "./config.ts";
import { createWriteLimit } from "./clients/write-limits.ts";
import { createAfterOwnEnd } from "./grants/own-ends.ts";
import type { GrantsStore } from "./grants/grants-store.ts";
import { createIntrospectionEndpoint } from "./introspection/endpoint.ts";
import { createJwksEndpoint } from "./keys/endpoint.ts";
import type { KeyRing } from "./keys/key-ring.ts";
import { createMetadataEndpoint } from "./metadata/endpoint.ts";
import type { ResourceDirectory } from "./resources/resource-directory.ts";
import type { BearerAuthorizer } from "./issuer-access/bearer.ts";
import { createRevocationEndpoint } from "./revocation/endpoint.ts";
import { createFeedEndpoint } from "./revocation/feed-endpoint.ts";
import type { LiveSet } from "./revocation/live-set.ts";
import type { ReadRights } from "./issuer-access/liveness.ts";
import type { RevocationsStore } from "./revocation/revocations-store.ts";
import type { AccessTokenReader } from "./issuer-access/access-token-reader.ts";
import type { ReadAuthenticated } from "./authentication/client-endpoint.ts";
import { createAuthorizationEndpoint } from "./token/authorization-endpoint.ts";
import { createClientCredentials } from "./token/client-credentials.ts";
import { createIssueTokens, createTokenEndpoint } from "./token/endpoint.ts";
import { createTokenIssuer } from "./token/issuer.ts";
import { createRefreshFault, createRefreshTokenGrant } from "./token/refresh-token.ts";
import { createRefreshTokenReader } from "./token/refresh-token-reader.ts";
import { createSeedTokenEndpoint } from "./token/seed-endpoint.ts";
import { createUsageEndpoint } from "./usage/endpoint.ts";
import type { UsageStore } from "./usage/usage-store.ts";

/** Request headers that a page's script may set for a token. */
const CORS_HEADERS = ["authorization", "content-type", "x-requested-with"];

export function createPublicEndpoints(
  config: AuthServerConfig,
  parts: {
    accessKeys: AccessKeysStore;
    bearer: BearerAuthorizer;
    clock: Clock;
    directory: ResourceDirectory;
    grants: GrantsStore;
    readRights: ReadRights;
    watcher: ChangeWatcher;
    keys: KeyRing;
    lastUsed: LastUsed;
    liveSet: LiveSet;
    log: Log;
    readAccessToken: AccessTokenReader;
    readAuthenticated: ReadAuthenticated;
    revocations: RevocationsStore;
    /** Aborted when the server stops. */
    stopping: AbortSignal;
    usage: UsageStore;
  },
) {
  const { issuer, corsOrigins: origins } = config;
  const { clock, directory, grants, keys, log, readAuthenticated } = parts;
  const readRefreshToken = createRefreshTokenReader({ keys, issuer });
  const refreshFault = createRefreshFault({ ...config, clock });
  const limitGrants = createWriteLimit({
    rowsPerMinute: config.grantsPerClient,
    detail: "too_many_grants",
  });
  const afterOwnEnd = createAfterOwnEnd({ ...parts, limit: config.revocationsPerClient });
  const presentedKeys = createPresentedKeys({ ...parts, issuer });
  const issueTokens = createIssueTokens({
    readAuthenticated,
    grantTypes: {
      client_credentials: createClientCredentials({ ...config, directory, clock }),
      refresh_token: createRefreshTokenGrant({
        grants,
        afterOwnEnd,
        limitGrants,
        read: readRefreshToken,
        faultOf: refreshFault,
        directory,
        watcher: parts.watcher,
        log,
      }),
    },
    issue: createTokenIssuer({ ...config, keys, clock }),
  });

  return [
    ...(origins.length > 0
      ? [createCors({ origins, path: PATHS.token, headers: CORS_HEADERS })]
      : []),
    createAuthorizationEndpoint(),
    createTokenEndpoint(issueTokens),
    createSeedTokenEndpoint(issueTokens),
    createRevocationEndpoint({
      ...parts,
      readRefreshToken,
      afterOwnEnd,
      limitGrants,
      longestGrantSeconds: config.refreshAbsoluteMaxSeconds,
    }),
    createIntrospectionEndpoint({
      ...parts,
      readRefreshToken,
      presentedKeys,
      issuer,
      refreshFault,
    }),
    createSignatureKeyEndpoint({ readAuthenticated, presentedKeys }),
    createUsageEndpoint(parts),
    createFeedEndpoint(parts),
    createJwksEndpoint(keys),
    createMetadataEndpoint({ issuer, keys, directory }),
    createRootPage({
      name: "Daykey auth-server",
      about: `It issues access tokens to programs (OAuth 2.0), as ${issuer}.`,
      pointers: { metadata: PATHS.authorizationServerMetadata, "public keys": PATHS.jwks },
    }),
  ];
}
