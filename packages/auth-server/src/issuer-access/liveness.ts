/** What a genuine token is still good for, from memory (docs/protocol.md §3). */
import {
  type AccessTokenClaims,
  type Ancestor,
  type TimeFault,
  timeFault,
} from "@daykey/common/access-token";
import type { Clock } from "@daykey/common/clock";
import { OAuthError } from "@daykey/common/oauth-error";
import { formatScope, intersection } from "@daykey/common/scope";
import type { Client } from "../clients/client.ts";
import type { ClientCache } from "../clients/client-cache.ts";
import { coversSubject } from "../clients/exchange-rights.ts";
import { quotasFor } from "../clients/quotas.ts";
import { scopesAt } from "../clients/resource-scopes.ts";
import type { ResourceDirectory } from "../resources/resource-directory.ts";
import type { Resource } from "../resources/resources-store.ts";
import type { LiveSet } from "../revocation/live-set.ts";
import type { ReadAccessToken } from "./access-token-reader.ts";

/**
 * The token's claims, cut to what holds now: its scope to what the client still has and its resource
 * still defines, its quotas to the client's. On behalf of another, it is also cut to what that one has and the
 * client may still exchange. The scope may be empty. Or why the token is dead, as a reason for the log: its
 * times, a revocation, or `no_rights` for a client that is disabled or without the resource, and for an epoch or
 * credential that is no longer good, its own or that of a grant above it.
 * @throws {OAuthError} temporarily_unavailable when the revocations were not read for 5 s
 */
export type ReadRights = (
  token: ReadAccessToken,
) => Promise<Readonly<AccessTokenClaims> | DeadToken>;

export type DeadToken = TimeFault | "revoked" | "no_rights";

/** The rules of trust, each as the credential that its tokens name. */
export interface RuleCredentials {
  isLive(clientId: string, cred: string): boolean;
}

/** What is known of revocations is no answer when it is older than this. */
const FRESH_SECONDS = 5;

/** What is asked about who opened a grant. */
interface Openers {
  cache: ClientCache;
  rules: RuleCredentials;
}

/** The client that opened a grant, if it would still be let in, or what it lacks. */
export async function openerOf(
  { client_id, ep, cred }: Pick<Ancestor, "client_id" | "ep" | "cred">,
  { cache, rules }: Openers,
): Promise<Client | "client" | "credential"> {
  const { client } = await cache.find(client_id);
  if (!client?.enabled || ep < client.epoch) return "client";
  // No kid looks like a rule of trust.
  return client.credentials.has(cred) || rules.isLive(client_id, cred) ? client : "credential";
}

export function createReadRights({
  cache,
  liveSet,
  directory,
  rules,
  clock,
  maxLifeSeconds,
}: {
  cache: ClientCache;
  liveSet: LiveSet;
  directory: ResourceDirectory;
  rules: RuleCredentials;
  clock: Clock;
  /** A token that was issued for longer is dead: revocations are remembered only so long. */
  maxLifeSeconds: number;
}): ReadRights {
  return async ({ claims, kid }) => {
    if (liveSet.ageSeconds() > FRESH_SECONDS) {
      throw new OAuthError("temporarily_unavailable", "The server cannot answer now. Try again.", {
        detail: "revocations_stale",
        headers: { "Retry-After": "1" },
      });
    }
    const fault = timeFault(claims, { now: clock(), maxLifeSeconds });
    if (fault) return fault;
    const [{ client: subject }, client, ...above] = await Promise.all([
      cache.find(claims.sub),
      ...[claims, ...(claims.anc ?? [])].map(async (grant) => openerOf(grant, { cache, rules })),
    ]);
    // After the clients were waited for: what was revoked meanwhile is known.
    if (liveSet.current().isRevoked(claims, kid)) return "revoked";
    const resource = directory.find(claims.aud);
    const isAlive =
      typeof client === "object" &&
      client.resources.includes(claims.aud) &&
      above.every((opener) => typeof opener === "object");
    if (!isAlive || !resource) return "no_rights";
    const held = intersection(claims.scope.split(" "), scopesAt(client, resource));
    const scope = claims.anc ? onBehalf(held, { client, subject, resource }) : held;
    if (!scope) return "no_rights";
    const { quota: _then, ...rest } = claims;
    const quota = quotasFor(scope, client.quotas ?? []);
    return { ...rest, scope: formatScope(scope), ...(quota.length > 0 && { quota }) };
  };
}

/** What of a scope a client still has on behalf of another; undefined where it may not act for that one there. */
function onBehalf(
  scope: readonly string[],
  {
    client: { exchange },
    subject,
    resource,
  }: { client: Client; subject: Client | undefined; resource: Resource },
): string[] | undefined {
  if (!exchange || !subject?.resources.includes(resource.uri)) return undefined;
  if (!coversSubject(exchange, subject.clientId)) return undefined;
  return intersection(intersection(scope, exchange.scopes ?? scope), scopesAt(subject, resource));
}
