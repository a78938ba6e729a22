/**
 * The refresh-token grant (RFC 6749 §6, docs/protocol.md §2). Everything that can be refused without
 * the grant's row is refused first; then one statement decides. Every refusal of the token reads the
 * same to the client; the log knows why.
 */
import { timingSafeEqual } from "node:crypto";
import type { Clock } from "@daykey/common/clock";
import { OAuthError } from "@daykey/common/oauth-error";
import type { Log } from "@daykey/service/log";
import type { Client } from "../clients/client.ts";
import type { GrantsStore } from "../grants/grants-store.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import type { ResourceDirectory } from "../resources/resource-directory.ts";
import type { Authorize } from "./grant-type.ts";
import { decodePayload, type RefreshToken, splitRefreshToken } from "./refresh-token-format.ts";
import { chooseResourceAndScope } from "./resource-and-scope.ts";

export function createRefreshTokenGrant({
  grants,
  keys,
  directory,
  clock,
  log,
  issuer,
  refreshIdleSeconds,
}: {
  grants: GrantsStore;
  keys: KeyRing;
  directory: ResourceDirectory;
  clock: Clock;
  log: Log;
  issuer: string;
  /** Of a client that has none of its own. */
  refreshIdleSeconds: number;
}): Authorize {
  async function open(text: string): Promise<RefreshToken> {
    const parts = splitRefreshToken(text, issuer);
    if (!parts) throw refused("malformed_refresh_token");
    const key = await keys.refreshKey(parts.keyId);
    if (!key) throw refused("unknown_refresh_key");
    if (!timingSafeEqual(key.mac(parts.sealed), parts.tag)) throw refused("forged_refresh_token");
    const token = decodePayload(parts.payload);
    if (!token) throw refused("unknown_refresh_version");
    return token;
  }

  /** Why the token is dead already, whatever its grant's row says. */
  function faultOf({ grant, issuedAt }: RefreshToken, client: Client): string | undefined {
    const now = clock();
    if (grant.clientId !== client.clientId) return "other_clients_refresh_token";
    if (now >= grant.expiresAt) return "absolute_end";
    if (now >= issuedAt + (client.refreshIdleSeconds ?? refreshIdleSeconds)) return "idle_end";
    if (grant.epoch < client.epoch) return "epoch";
    return client.credentials.has(grant.credential) ? undefined : "credential_revoked";
  }

  return async ({ client, form, note }) => {
    const text = form.get("refresh_token");
    if (text === undefined) {
      throw new OAuthError("invalid_request", "The parameter refresh_token is missing.");
    }
    const { grant, seq, issuedAt } = await open(text);
    note({ grant: grant.id });
    const securityEvent = (event: string): void => {
      const { id, clientId: owner } = grant;
      log.warn({ event, client: client.clientId, owner, grant: id, seq }, "security event");
    };

    const fault = faultOf({ grant, seq, issuedAt }, client);
    if (fault !== undefined) {
      if (fault === "other_clients_refresh_token") securityEvent(fault);
      throw refused(fault);
    }
    const { resource, scope } = chooseResourceAndScope(form, client, grant, directory);

    const { id: grantId, clientId, expiresAt } = grant;
    const outcome = await grants.rotate({ grantId, clientId, seq, expiresAt });
    note({ refresh: outcome.kind });
    if (outcome.kind !== "rotated" && outcome.kind !== "retried") {
      if (outcome.kind !== "revoked") securityEvent(`refresh_${outcome.kind}`);
      throw refused(outcome.kind);
    }
    const refresh = { seq: outcome.seq, issuedAt: Math.floor(outcome.rotatedAt) };
    return { client, grant, resource, scope, refresh };
  };
}

function refused(detail: string): OAuthError {
  return new OAuthError("invalid_grant", "The refresh token cannot be used.", { detail });
}
