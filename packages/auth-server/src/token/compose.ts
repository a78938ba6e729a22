/** The token endpoints, and what revocation and introspection share with the refresh grant. */
import { createHmac } from "node:crypto";
import { createDpopNonces } from "@daykey/common/dpop-proof";
import { JWT_BEARER_GRANT, PATHS, TOKEN_EXCHANGE_GRANT } from "@daykey/common/protocol";
import { createCors } from "@daykey/service/http/cors";
import { parseAssertion } from "../authentication/client-assertion.ts";
import { createDpopPrimitives } from "../authentication/dpop-keys.ts";
import type { ReplayStore } from "../authentication/replay-store.ts";
import type { ReadAuthenticated } from "../authentication/client-endpoint.ts";
import type { Workloads } from "../authentication/workload.ts";
import type { ChangeWatcher } from "../changes/watcher.ts";
import type { ClientCache } from "../clients/client-cache.ts";
import { createWriteLimit, type WriteLimit } from "../clients/write-limits.ts";
import type { GrantsStore } from "../grants/grants-store.ts";
import type { AfterOwnEnd } from "../grants/own-ends.ts";
import type { Ground } from "../ground.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import type { ResourceDirectory } from "../resources/resource-directory.ts";
import type { SpendToken } from "../token-quota/spend.ts";
import type { MasterKey } from "../keys/master-key.ts";
import { createDpopAtIssue } from "./dpop.ts";
import { createAuthorizationEndpoint } from "./authorization-endpoint.ts";
import { createClientCredentials } from "./client-credentials.ts";
import { createIssueTokens, createTokenEndpoint, type IsOpenGrantType } from "./endpoint.ts";
import { createTokenIssuer } from "./issuer.ts";
import { createTokenExchange } from "./exchange.ts";
import { createJwtBearer } from "./jwt-bearer.ts";
import { createOnBehalfOf, type OwnTokens } from "./on-behalf.ts";
import { createRefreshFault, createRefreshTokenGrant, type RefreshFault } from "./refresh-token.ts";
import { createRefreshTokenReader, type RefreshTokenReader } from "./refresh-token-reader.ts";
import { createSeedTokenEndpoint } from "./seed-endpoint.ts";

/** Request headers that a page's script may set for a token. */
const CORS_HEADERS = ["authorization", "content-type", "dpop", "x-requested-with"];

export interface Tokens {
  readRefreshToken: RefreshTokenReader;
  refreshFault: RefreshFault;
  /** Limits the grants that get a row. */
  limitGrants: WriteLimit;
  tokenRouters: ReturnType<typeof createTokenEndpoint>[];
}

export function composeTokens({
  settings,
  issuer,
  clock,
  log,
  keys,
  directory,
  grants,
  afterOwnEnd,
  watcher,
  readAuthenticated,
  replays,
  limitNonces,
  masterKey,
  workloads,
  isOpenGrantType,
  spendToken,
  readAccessToken,
  readRights,
  cache,
}: Pick<Ground, "settings" | "issuer" | "clock" | "log"> &
  OwnTokens & {
    keys: KeyRing;
    directory: ResourceDirectory;
    grants: GrantsStore;
    afterOwnEnd: AfterOwnEnd;
    watcher: ChangeWatcher;
    readAuthenticated: ReadAuthenticated;
    replays: Pick<ReplayStore, "use">;
    limitNonces: WriteLimit;
    masterKey: Pick<MasterKey, "dpopNonceKey">;
    workloads: Pick<Workloads, "admit" | "resourcesOf">;
    isOpenGrantType: IsOpenGrantType;
    spendToken: SpendToken;
    cache: ClientCache;
  }): Tokens {
  const { corsOrigins: origins } = settings;
  const readRefreshToken = createRefreshTokenReader({ keys, issuer });
  const refreshFault = createRefreshFault({ ...settings, clock });
  const limitGrants = createWriteLimit({
    rowsPerMinute: settings.grantsPerClient,
    detail: "too_many_grants",
  });
  const clientCredentials = createClientCredentials({ ...settings, directory, clock });
  const code = (text: string): string =>
    createHmac("sha256", masterKey.dpopNonceKey).update(text).digest("base64url");
  const dpop = createDpopAtIssue({
    issuer,
    mtlsUrl: settings.mtlsUrl,
    primitives: createDpopPrimitives(),
    nonces: settings.dpopNonce ? createDpopNonces(code, clock) : undefined,
    replays,
    limitNonces,
    clock,
  });
  const onBehalfOf = createOnBehalfOf({
    readRights,
    workloads,
    replays,
    limitNonces,
    cache,
    directory,
    issuer,
    clock,
  });
  const issueTokens = createIssueTokens({
    readAuthenticated,
    dpop,
    spendToken,
    issuer,
    isOpen: isOpenGrantType,
    grantTypes: {
      client_credentials: clientCredentials,
      [JWT_BEARER_GRANT]: createJwtBearer({
        openGrant: clientCredentials,
        parseAssertion,
        onBehalfOf,
        directory,
      }),
      [TOKEN_EXCHANGE_GRANT]: createTokenExchange({
        readAccessToken,
        readRights,
        parseAssertion,
        onBehalfOf,
      }),
      refresh_token: createRefreshTokenGrant({
        grants,
        afterOwnEnd,
        limitGrants,
        read: readRefreshToken,
        faultOf: refreshFault,
        directory,
        watcher,
        log,
      }),
    },
    issue: createTokenIssuer({ ...settings, keys, clock }),
  });
  return {
    readRefreshToken,
    refreshFault,
    limitGrants,
    tokenRouters: [
      ...(origins.length > 0
        ? [createCors({ origins, path: PATHS.token, headers: CORS_HEADERS })]
        : []),
      createAuthorizationEndpoint(),
      createTokenEndpoint(issueTokens),
      createSeedTokenEndpoint(issueTokens),
    ],
  };
}
