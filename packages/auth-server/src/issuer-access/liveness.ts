/** Whether a genuine token is still alive, from memory (docs/protocol.md §3). */
import type { Clock } from "@daykey/common/clock";
import { OAuthError } from "@daykey/common/oauth-error";
import type { ClientCache } from "../clients/client-cache.ts";
import type { ReadAccessToken } from "./access-token-reader.ts";
import type { LiveSet } from "../revocation/live-set.ts";

/**
 * Not expired, not revoked, its client enabled, its epoch and credential still good.
 * @throws {OAuthError} temporarily_unavailable when the revocations were not read for 5 s
 */
export type IsAlive = (token: ReadAccessToken) => Promise<boolean>;

/** What is known of revocations is no answer when it is older than this. */
const FRESH_SECONDS = 5;

export function createLiveness({
  cache,
  liveSet,
  clock,
}: {
  cache: ClientCache;
  liveSet: LiveSet;
  clock: Clock;
}): IsAlive {
  return async ({ claims, kid }) => {
    if (liveSet.ageSeconds() > FRESH_SECONDS) {
      throw new OAuthError("temporarily_unavailable", "The server cannot answer now. Try again.", {
        detail: "revocations_stale",
        headers: { "Retry-After": "1" },
      });
    }
    if (claims.exp <= clock() || liveSet.current().isRevoked(claims, kid)) return false;
    const { client } = await cache.find(claims.client_id);
    return (
      client !== undefined &&
      client.enabled &&
      claims.ep >= client.epoch &&
      client.credentials.has(claims.cred)
    );
  };
}
