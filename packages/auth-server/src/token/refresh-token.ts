/**
 * The refresh-token grant (RFC 6749 §6, docs/protocol.md §2). Everything that can be refused without
 * the grant's row is refused first; then one statement decides. Every refusal of the token reads the
 * same to the client; the log knows why.
 */
import type { Clock } from "@daykey/common/clock";
import { OAuthError } from "@daykey/common/oauth-error";
import type { Log } from "@daykey/service/observe/log";
import type { Client } from "../clients/client.ts";
import type { ChangeWatcher } from "../changes/watcher.ts";
import type { WriteLimit } from "../clients/write-limits.ts";
import type { GrantsStore } from "../grants/grants-store.ts";
import type { AfterOwnEnd } from "../grants/own-ends.ts";
import type { ResourceDirectory } from "../resources/resource-directory.ts";
import type { Authorize } from "./grant-type.ts";
import type { RefreshToken } from "./refresh-token-format.ts";
import type { RefreshTokenReader } from "./refresh-token-reader.ts";
import { chooseResourceAndScope } from "./resource-and-scope.ts";

/** Why a token is dead for this client, whatever its grant's row says; a reason for the log. */
export type RefreshFault = (token: RefreshToken, client: Client) => string | undefined;

export function createRefreshFault({
  clock,
  refreshIdleSeconds,
}: {
  clock: Clock;
  /** Default for clients without their own setting. */
  refreshIdleSeconds: number;
}): RefreshFault {
  return ({ grant, issuedAt }, client) => {
    const now = clock();
    if (!client.grantTypes.includes("refresh_token")) return "grant_type_taken";
    if (grant.clientId !== client.clientId) return "other_clients_refresh_token";
    if (now >= grant.expiresAt) return "absolute_end";
    if (now >= issuedAt + (client.refreshIdleSeconds ?? refreshIdleSeconds)) return "idle_end";
    if (grant.epoch < client.epoch) return "epoch";
    return client.credentials.has(grant.credential) ? undefined : "credential_revoked";
  };
}

export function createRefreshTokenGrant({
  grants,
  read,
  faultOf,
  directory,
  afterOwnEnd,
  limitGrants,
  watcher,
  log,
}: {
  grants: GrantsStore;
  afterOwnEnd: AfterOwnEnd;
  /** The first refresh of a grant makes its row. */
  limitGrants: WriteLimit;
  read: RefreshTokenReader;
  faultOf: RefreshFault;
  directory: ResourceDirectory;
  watcher: Pick<ChangeWatcher, "look">;
  log: Log;
}): Authorize {
  return async ({ client, form, spend, note }) => {
    const text = form.get("refresh_token");
    if (text === undefined) {
      throw new OAuthError("invalid_request", "The parameter refresh_token is missing.");
    }
    const token = await read(text);
    if ("fault" in token) throw refused(token.fault);
    const { grant, seq } = token;
    note({ grant: grant.id });
    const securityEvent = (event: string): void => {
      const { id, clientId: owner } = grant;
      log.warn({ event, client: client.clientId, owner, grant: id, seq }, "security event");
    };

    const fault = faultOf(token, client);
    if (fault !== undefined) {
      if (fault === "other_clients_refresh_token") securityEvent(fault);
      throw refused(fault);
    }
    const { resource, scope } = chooseResourceAndScope(form, client, grant, directory);

    const { id: grantId, clientId, expiresAt } = grant;
    if (seq === 0) await limitGrants(clientId);
    await spend();
    const outcome = await grants.rotate({ grantId, clientId, seq, expiresAt });
    note({ refresh: outcome.kind });
    if (outcome.kind !== "rotated" && outcome.kind !== "retried") {
      if (outcome.kind !== "revoked") {
        securityEvent(`refresh_${outcome.kind}`);
        if (outcome.kind !== "unknown_number") await afterOwnEnd(clientId);
        // It may have ended the grant: from here on this server says so of its access tokens too.
        await watcher.look();
      }
      throw refused(outcome.kind);
    }
    const refresh = { seq: outcome.seq, issuedAt: Math.floor(outcome.rotatedAt) };
    return { client, grant, resource, scope, refresh };
  };
}

function refused(detail: string): OAuthError {
  return new OAuthError("invalid_grant", "The refresh token cannot be used.", { detail });
}
