/**
 * Scopes (RFC 6749 §3.3): a set of case-sensitive tokens, written with single spaces between them.
 * Order is kept as given, so that what is asked comes back in the same order.
 */
import { OAuthError } from "./oauth-error.ts";

const SCOPE_TOKEN = /^[\x21\x23-\x5B\x5D-\x7E]+$/;

export function isScopeToken(text: string): boolean {
  return SCOPE_TOKEN.test(text);
}

/**
 * The tokens of a `scope` parameter, each once.
 * @throws {OAuthError} invalid_scope when it does not follow the grammar
 */
export function parseScope(text: string): string[] {
  const tokens = text.split(" ");
  if (!tokens.every(isScopeToken)) {
    throw new OAuthError(
      "invalid_scope",
      "The scope is not scope tokens with single spaces between.",
    );
  }
  return [...new Set(tokens)];
}

export function formatScope(scope: readonly string[]): string {
  return scope.join(" ");
}

/** What stands in both, in the order of the first. */
export function intersection(scope: readonly string[], allowed: readonly string[]): string[] {
  return scope.filter((token) => allowed.includes(token));
}
