/** What a genuine token is still good for, from memory (docs/protocol.md §3). */
import type { AccessTokenClaims } from "@daykey/common/access-token";
import type { Clock } from "@daykey/common/clock";
import { OAuthError } from "@daykey/common/oauth-error";
import { formatScope, intersection } from "@daykey/common/scope";

import type { ClientCache } from "../clients/client-cache.ts";
import { quotasFor } from "../clients/quotas.ts";
import type { ResourceDirectory } from "../resources/resource-directory.ts";
import type { LiveSet } from "../revocation/live-set.ts";
import type { ReadAccessToken } from "./access-token-reader.ts";

/**
 * The token's claims, cut to what holds now: its scope to what the client still has and its resource
 * still defines, its quotas to the client's. The scope may be empty. Undefined when the token is dead:
 * expired, not valid yet, revoked, its client disabled or without its resource, its epoch or credential
 * no longer good.
 * @throws {OAuthError} temporarily_unavailable when the revocations were not read for 5 s
 */
export type ReadRights = (
  token: ReadAccessToken,
) => Promise<Readonly<AccessTokenClaims> | undefined>;

/** What is known of revocations is no answer when it is older than this. */
const FRESH_SECONDS = 5;

export function createReadRights({
  cache,
  liveSet,
  directory,
  clock,
}: {
  cache: ClientCache;
  liveSet: LiveSet;
  directory: ResourceDirectory;
  clock: Clock;
}): ReadRights {
  return async ({ claims, kid }) => {
    if (liveSet.ageSeconds() > FRESH_SECONDS) {
      throw new OAuthError("temporarily_unavailable", "The server cannot answer now. Try again.", {
        detail: "revocations_stale",
        headers: { "Retry-After": "1" },
      });
    }
    const now = clock();
    if (claims.exp <= now || (claims.nbf ?? 0) > now) return undefined;
    const { client } = await cache.find(claims.client_id);
    // After the client was waited for: what was revoked meanwhile is known.
    if (liveSet.current().isRevoked(claims, kid)) return undefined;
    const resource = directory.find(claims.aud);
    const isAlive =
      client !== undefined &&
      client.enabled &&
      claims.ep >= client.epoch &&
      client.credentials.has(claims.cred) &&
      client.resources.includes(claims.aud);
    if (!isAlive || !resource) return undefined;
    const held = intersection(claims.scope.split(" "), client.scopes);
    const scope = intersection(held, resource.scopes);
    const { quota: _then, ...rest } = claims;
    const quota = quotasFor(scope, client.quotas ?? []);
    return { ...rest, scope: formatScope(scope), ...(quota.length > 0 && { quota }) };
  };
}
