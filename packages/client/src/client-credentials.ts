/** The client-credentials grant (RFC 6749 §4.4): the client itself opens a grant. */
import type { TimedTokenSet, TokenEndpoint } from "./token-endpoint.ts";

/** For what tokens are asked; the same for a grant's opening and for its refreshes. */
export interface Wanted {
  /** RFC 8707. Without it, the client's default. */
  readonly resource?: string | undefined;
  /** Without it, all that is available. */
  readonly scope?: readonly string[] | undefined;
}

/** @throws {DaykeyError} */
export function requestByClientCredentials(
  endpoint: TokenEndpoint,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<TimedTokenSet> {
  return endpoint.request({ grant_type: "client_credentials", ...formOf(wanted) }, signal);
}

/** `resource` and `scope` as parameters. */
export function formOf({ resource, scope }: Wanted): Record<string, string> {
  return {
    ...(resource !== undefined && { resource }),
    ...(scope !== undefined && { scope: scope.join(" ") }),
  };
}
