/** Bearer tokens for the issuer itself, which is a resource too: the feed's and the admin API's guard. */
import type { IncomingHttpHeaders } from "node:http";
import type { AccessTokenClaims } from "@daykey/common/access-token";
import { readBearer } from "@daykey/common/bearer";
import { OAuthError } from "@daykey/common/oauth-error";

import type { AccessTokenReader } from "./access-token-reader.ts";
import type { ReadRights } from "./liveness.ts";

export interface BearerAuthorizer {
  /**
   * The claims of the access token in the Authorization header (RFC 6750 §2.1), its scope cut to what
   * its client has now.
   * @throws {OAuthError} with the challenge of RFC 6750 §3, which names the scope: 401 without a token or
   *   with one that is not good here, 400 for a malformed header, 403 without the scope
   */
  authorize(headers: IncomingHttpHeaders, scope: string): Promise<Readonly<AccessTokenClaims>>;
}

export function createBearerAuthorizer({
  readAccessToken,
  readRights,
  issuer,
}: {
  readAccessToken: AccessTokenReader;
  readRights: ReadRights;
  issuer: string;
}): BearerAuthorizer {
  const challenge = (scope: string, error?: string): Record<string, string> => ({
    "WWW-Authenticate": `Bearer realm="${issuer}"${error ? `, error="${error}"` : ""}, scope="${scope}"`,
  });
  return {
    async authorize({ authorization }, scope) {
      const notValid = (detail: string): OAuthError =>
        new OAuthError("invalid_token", "The access token is not valid here.", {
          detail,
          headers: challenge(scope, "invalid_token"),
        });
      const presented = readBearer(authorization);
      if (presented.kind === "none") {
        throw new OAuthError("invalid_token", "An access token is required.", {
          detail: "no_credential",
          headers: challenge(scope),
        });
      }
      if (presented.kind === "malformed") {
        throw new OAuthError("invalid_request", "The Authorization header is malformed.", {
          detail: "malformed_credential",
          headers: challenge(scope, "invalid_request"),
        });
      }
      const token = readAccessToken(presented.token);
      if (!token) throw notValid("not_our_token");
      // None is issued for this server; a bound token without its proof is good nowhere.
      if (token.claims.cnf) throw notValid("bound_token");
      const rights = token.claims.aud === issuer ? await readRights(token) : "wrong_aud";
      if (typeof rights === "string") throw notValid(rights);
      if (!rights.scope.split(" ").includes(scope)) {
        throw new OAuthError("insufficient_scope", `This needs the scope ${scope}.`, {
          headers: challenge(scope, "insufficient_scope"),
        });
      }
      return rights;
    },
  };
}
