/**
 * `GET /oauth2/authorize` (RFC 6749 §3.1). There are no users here, so no response type is supported,
 * and the metadata names this endpoint only for libraries that need the member. No redirection URI is
 * ever registered, so the answer is never a redirect (RFC 6749 §4.1.2.1).
 */
import { OAuthError } from "@daykey/common/oauth-error";
import { PATHS } from "@daykey/common/protocol";
import { type AppRouter, createRouter } from "@daykey/service/http/router";

export function createAuthorizationEndpoint(): AppRouter {
  const router = createRouter();
  router.get(PATHS.authorize, (ctx) => {
    if (new URLSearchParams(ctx.querystring).has("response_type")) {
      throw new OAuthError(
        "unsupported_response_type",
        "Nobody can log in here: get a token from the token endpoint with the grant type client_credentials.",
      );
    }
    throw new OAuthError("invalid_request", "The parameter response_type is missing.");
  });
  return router;
}
