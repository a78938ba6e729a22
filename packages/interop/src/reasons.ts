/** What is known not to work, and why: the library's own limit, which no setting of either side lifts. */

const REASONS: Readonly<Record<string, string>> = {
  "MCP SDK 1 (Python) client_secret_post":
    "This line sends the secret without the client's id. Use `client_secret_basic`.",
  "Nimbus oauth2-oidc-sdk EdDSA":
    "Its key selector leaves out Ed25519 keys. Sign with ES256 or RS256.",
  "Spring Security 6 EdDSA":
    "Spring Security has no EdDSA in its list of algorithms. Sign with ES256 or RS256.",
  "Spring Security 7 EdDSA":
    "Spring Security has no EdDSA in its list of algorithms. Sign with ES256 or RS256.",
};

export function reasonFor({
  library,
  check,
}: {
  library: string;
  check: string;
}): string | undefined {
  return REASONS[`${library} ${check}`];
}
