/** Asking the auth-server about an access token or an API key (RFC 7662). */
import { type AccessTokenClaims, readAccessTokenClaims } from "@daykey/common/access-token";
import { type KeyClaims, readKeyClaims } from "@daykey/common/key-claims";
import { PATHS } from "@daykey/common/protocol";
import { type Ask, type AskDeps, createAsk } from "./ask.ts";

/**
 * What the auth-server says of a token: its claims, or undefined when it is not active or not for this
 * server. Not checked: the claims' audience and scope.
 * @throws {AuthServerUnavailable}
 */
export type Introspect = Ask<AccessTokenClaims>;

const QUESTION = { path: PATHS.introspect, parameter: "token" };

export function createIntrospector(deps: AskDeps): Introspect {
  return createAsk({ ...deps, ...QUESTION, read: readAccessTokenClaims });
}

/** Not checked: that the answer is about this key, its issuer, audience and end. */
export function createApiKeyIntrospector(deps: AskDeps): Ask<KeyClaims> {
  return createAsk({ ...deps, ...QUESTION, read: readKeyClaims });
}
