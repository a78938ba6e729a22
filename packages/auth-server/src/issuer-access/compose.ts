/** The guard of the issuer's own API. */
import type { ClientCache } from "../clients/client-cache.ts";
import type { Ground } from "../ground.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import type { ResourceDirectory } from "../resources/resource-directory.ts";
import type { LiveSet } from "../revocation/live-set.ts";
import { type AccessTokenReader, createAccessTokenReader } from "./access-token-reader.ts";
import { type BearerAuthorizer, createBearerAuthorizer } from "./bearer.ts";
import { createExplainToken, type ExplainToken } from "./explain-token.ts";
import { createReadRights, type ReadRights, type RuleCredentials } from "./liveness.ts";

export interface IssuerAccess {
  readAccessToken: AccessTokenReader;
  readRights: ReadRights;
  /** The same for what is no token and lives for longer: its revocation is the client's or credential's. */
  readLongRights: (maxLifeSeconds: number) => ReadRights;
  bearer: BearerAuthorizer;
  explainToken: ExplainToken;
}

export function composeIssuerAccess({
  settings,
  issuer,
  clock,
  keys,
  trustDirectory,
  ...known
}: Pick<Ground, "settings" | "issuer" | "clock"> & {
  keys: KeyRing;
  cache: ClientCache;
  liveSet: LiveSet;
  directory: ResourceDirectory;
  trustDirectory: RuleCredentials;
}): IssuerAccess {
  const readAccessToken = createAccessTokenReader({ keys, issuer });
  const readLongRights = (maxLifeSeconds: number): ReadRights =>
    createReadRights({ ...known, rules: trustDirectory, clock, maxLifeSeconds });
  const readRights = readLongRights(settings.accessTokenMaxSeconds);
  const explainToken = createExplainToken({
    readAccessToken,
    readRights,
    ...known,
    rules: trustDirectory,
  });
  return {
    explainToken,
    readAccessToken,
    readRights,
    readLongRights,
    bearer: createBearerAuthorizer({ readAccessToken, readRights, issuer }),
  };
}
