/**
 * `POST /oauth2/introspect` (RFC 7662): is this token or API key active, and what does it say? Access
 * tokens are answered from memory. The answer begins as `{"active":false}`: a caller who is
 * neither the token's client nor its resource's server learns nothing else (RFC 7662 §2.2).
 */
import { OAuthError } from "@daykey/common/oauth-error";
import { PATHS } from "@daykey/common/protocol";
import { formatScope, intersection } from "@daykey/common/scope";
import { answerJson } from "@daykey/service/http/json-answer";
import { type AppRouter, createRouter } from "@daykey/service/http/router";
import { INACTIVE, type PresentedKeys } from "../access-keys/present.ts";
import type { Client } from "../clients/client.ts";
import { scopesAt } from "../clients/resource-scopes.ts";
import type { Grant } from "../grants/grant.ts";
import type { GrantsStore } from "../grants/grants-store.ts";
import type { ResourceDirectory } from "../resources/resource-directory.ts";
import type { ReadRights } from "../issuer-access/liveness.ts";
import type { AccessTokenReader } from "../issuer-access/access-token-reader.ts";
import type { ReadAuthenticated } from "../authentication/client-endpoint.ts";
import type { RefreshFault } from "../token/refresh-token.ts";
import type { RefreshTokenReader } from "../token/refresh-token-reader.ts";

export function createIntrospectionEndpoint({
  readAuthenticated,
  readAccessToken,
  readRefreshToken,
  presentedKeys,
  readRights,
  grants,
  directory,
  issuer,
  refreshFault,
}: {
  readAuthenticated: ReadAuthenticated;
  readAccessToken: AccessTokenReader;
  readRefreshToken: RefreshTokenReader;
  presentedKeys: Pick<PresentedKeys, "apiKey">;
  readRights: ReadRights;
  grants: GrantsStore;
  directory: ResourceDirectory;
  issuer: string;
  refreshFault: RefreshFault;
}): AppRouter {
  async function accessToken(
    text: string,
    caller: Client,
    note: (fields: { reason: string }) => void,
  ): Promise<object | undefined> {
    const token = readAccessToken(text);
    if (!token) return undefined;
    const { claims } = token;
    const isOwn = claims.client_id === caller.clientId;
    const isForCaller = directory.find(claims.aud)?.ownerClientId === caller.clientId;
    if (!isOwn && !isForCaller) return INACTIVE;
    const rights = await readRights(token);
    // A token that no scope is left to opens nothing.
    if (typeof rights !== "string" && rights.scope !== "") {
      // Bound to a certificate it stays a bearer token (RFC 8705 §3).
      const tokenType = rights.cnf?.jkt === undefined ? "Bearer" : "DPoP";
      return { active: true, token_type: tokenType, ...rights };
    }
    note({ reason: typeof rights === "string" ? rights : "no_rights" });
    return INACTIVE;
  }

  /** What a refresh could still get, at whichever resource. */
  function scopeLeft(grant: Grant, client: Client): string[] {
    const there = intersection(grant.resources, client.resources).flatMap((uri) => {
      const resource = directory.find(uri);
      return resource ? scopesAt(client, resource) : [];
    });
    return intersection(grant.scope, there);
  }

  /** A refresh token is its own client's business alone. */
  async function refreshToken(text: string, caller: Client): Promise<object> {
    const token = await readRefreshToken(text);
    if ("fault" in token || refreshFault(token, caller) !== undefined) return INACTIVE;
    const { grant, seq, issuedAt } = token;
    const scope = scopeLeft(grant, caller);
    if (scope.length === 0) return INACTIVE;
    if (!(await grants.isCurrent(grant.id, seq))) return INACTIVE;
    return {
      active: true,
      token_type: "refresh_token",
      iss: issuer,
      sub: grant.clientId,
      client_id: grant.clientId,
      scope: formatScope(scope),
      iat: issuedAt,
      exp: grant.expiresAt,
      gid: grant.id,
      ep: grant.epoch,
      cred: grant.credential,
    };
  }

  const router = createRouter();
  router.post(PATHS.introspect, async (ctx) => {
    const { client, form, note } = await readAuthenticated(ctx);
    const text = form.get("token");
    if (text === undefined) {
      throw new OAuthError("invalid_request", "The parameter token is missing.");
    }
    const answer =
      (await presentedKeys.apiKey(text, client.clientId)) ??
      (await accessToken(text, client, note)) ??
      (await refreshToken(text, client));
    note({ outcome: answer === INACTIVE ? "inactive" : "active" });
    answerJson(ctx, JSON.stringify(answer));
  });
  return router;
}
