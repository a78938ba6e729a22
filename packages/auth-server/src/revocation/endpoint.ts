/**
 * `POST /oauth2/revoke` (RFC 7009): revoking any token of a grant ends the grant. The answer is 200 only
 * after the commit; a token that is unknown, or garbage, is as good as revoked.
 */
import { OAuthError } from "@daykey/common/oauth-error";
import { PATHS } from "@daykey/common/protocol";
import { type AppRouter, createRouter } from "@daykey/service/http/router";
import type { ChangeWatcher } from "../changes/watcher.ts";
import type { WriteLimit } from "../clients/write-limits.ts";
import type { GrantsStore } from "../grants/grants-store.ts";
import type { AfterOwnEnd } from "../grants/own-ends.ts";
import type { AccessTokenReader } from "../issuer-access/access-token-reader.ts";
import type { ReadAuthenticated } from "../authentication/client-endpoint.ts";
import type { RefreshTokenReader } from "../token/refresh-token-reader.ts";

/** A grant named by one of its tokens. */
interface NamedGrant {
  /** The token's own end, epoch seconds. */
  tokenExpiresAt: number;
  grantId: string;
  clientId: string;
  /** When no token of it can be alive any more, epoch seconds. */
  expiresAt: number;
}

export function createRevocationEndpoint({
  readAuthenticated,
  readAccessToken,
  readRefreshToken,
  grants,
  afterOwnEnd,
  limitGrants,
  longestGrantSeconds,
  watcher,
}: {
  readAuthenticated: ReadAuthenticated;
  readAccessToken: AccessTokenReader;
  readRefreshToken: RefreshTokenReader;
  grants: GrantsStore;
  watcher: Pick<ChangeWatcher, "look">;
  afterOwnEnd: AfterOwnEnd;
  /** An unused grant gets its row by being revoked. */
  limitGrants: WriteLimit;
  /** The longest life of any grant: an access token does not say its grant's end. */
  longestGrantSeconds: number;
}): AppRouter {
  async function grantOf(token: string): Promise<NamedGrant | undefined> {
    const access = readAccessToken(token);
    if (access) {
      const { gid, client_id, iat, exp } = access.claims;
      const expiresAt = iat + longestGrantSeconds;
      return { grantId: gid, clientId: client_id, expiresAt, tokenExpiresAt: exp };
    }
    const refresh = await readRefreshToken(token);
    if ("fault" in refresh) return undefined;
    const { id, clientId, expiresAt } = refresh.grant;
    return { grantId: id, clientId, expiresAt, tokenExpiresAt: expiresAt };
  }

  const router = createRouter();
  router.post(PATHS.revoke, async (ctx) => {
    const { client, form, note } = await readAuthenticated(ctx);
    const token = form.get("token");
    if (token === undefined) {
      throw new OAuthError("invalid_request", "The parameter token is missing.");
    }
    const grant = await grantOf(token);
    // RFC 7009 §2.2 leaves the body open. Only the token's own client is told.
    ctx.body = { state: "unknown_token" };
    if (grant) {
      note({ grant: grant.grantId });
      if (grant.clientId !== client.clientId) {
        throw new OAuthError("unauthorized_client", "The token is another client's.");
      }
      await limitGrants(client.clientId);
      const state = await grants.revoke(grant);
      const { grantId, tokenExpiresAt } = grant;
      ctx.body = { grant: grantId, state, token_expires_at: tokenExpiresAt };
      await afterOwnEnd(client.clientId);
      // From here on this server itself says that the token is dead.
      await watcher.look();
    }
    ctx.status = 200;
    ctx.set("Cache-Control", "no-store");
    note({ outcome: grant ? "revoked" : "unknown_token" });
  });
  return router;
}
