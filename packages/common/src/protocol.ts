/** The words that go over the wire: parameter names' values, error codes, methods, media types. */

/** RFC 7523 §2.1: a JWT of a trusted issuer as the grant. */
export const JWT_BEARER_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/** RFC 8693 §2.1: a token of somebody's as the grant, for who acts on their behalf. */
export const TOKEN_EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange";

/** RFC 8693 §3: what may be exchanged, and what comes of it. */
export const TOKEN_TYPES = {
  accessToken: "urn:ietf:params:oauth:token-type:access_token",
  jwt: "urn:ietf:params:oauth:token-type:jwt",
} as const;

export const GRANT_TYPES = [
  "client_credentials",
  "refresh_token",
  JWT_BEARER_GRANT,
  TOKEN_EXCHANGE_GRANT,
] as const;
export type GrantType = (typeof GRANT_TYPES)[number];

/**
 * How a client may prove itself. The first two carry the secret or the day form (RFC 6749 §2.3.1); the
 * next three are the forms of `client_secret_hash` (docs/protocol.md §1); then come RFC 7523's, and the
 * two of RFC 8705. A client with `workload` is made by rules of trust (docs/protocol.md §8).
 */
export const AUTH_METHODS = [
  "client_secret_basic",
  "client_secret_post",
  "client_secret_hash_day",
  "client_secret_hash_once",
  "client_secret_hash_seed",
  "private_key_jwt",
  "tls_client_auth",
  "self_signed_tls_client_auth",
  "workload",
] as const;
export type AuthMethod = (typeof AUTH_METHODS)[number];

export type OAuthErrorCode =
  | "invalid_request"
  | "invalid_client"
  | "invalid_grant"
  | "unauthorized_client"
  | "unsupported_grant_type"
  | "unsupported_response_type"
  | "invalid_scope"
  | "invalid_target"
  | "invalid_token"
  | "insufficient_scope"
  | "invalid_dpop_proof"
  | "use_dpop_nonce"
  | "slow_down"
  | "temporarily_unavailable"
  | "server_error";

/** `^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$` (docs/protocol.md §1). */
export const CLIENT_ID = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$/;

/** Longest access token of either kind, in characters: a longer one is not issued, accepted or asked about. */
export const MAX_ACCESS_TOKEN_LENGTH = 8192;

/** The `typ` of a JWT access token (RFC 9068 §2.1). */
export const ACCESS_TOKEN_TYP = "at+jwt";

/**
 * Signature algorithms an access token may carry. The last two are one algorithm: `EdDSA` (RFC 8037 §3.1)
 * is the name that most validators know, `Ed25519` the one of RFC 9864, which replaces it.
 */
export const SIGNING_ALGORITHMS = ["ES256", "RS256", "Ed25519", "EdDSA"] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** The `client_assertion_type` of a JWT (RFC 7523 §2.2). */
export const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** The `client_assertion_type` of a JWT-SVID (draft-ietf-oauth-spiffe-client-auth). */
export const SPIFFE_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";

/** The `typ` of a client's assertion, as RFC 10070, which updates RFC 7523, wants it. */
export const ASSERTION_TYP = "client-authentication+jwt";

/** The `typ` of an ID-JAG, and its profile in the metadata (draft-ietf-oauth-identity-assertion-authz-grant). */
export const ID_JAG_TYP = "oauth-id-jag+jwt";
export const ID_JAG_PROFILE = "urn:ietf:params:oauth:grant-profile:id-jag";

/** Signature algorithms an assertion may carry: asymmetric ones alone. A key has one of them. */
export const ASSERTION_ALGORITHMS = ["ES256", "PS256", "RS256", "Ed25519"] as const;
export type AssertionAlgorithm = (typeof ASSERTION_ALGORITHMS)[number];

/** Paths of the auth-server that others name (RFC 8414 §3, RFC 7517, OpenID Connect Discovery §4). */
export const PATHS = {
  authorize: "/oauth2/authorize",
  token: "/oauth2/token",
  seedTokens: "/tokens",
  introspect: "/oauth2/introspect",
  signatureKeys: "/signature-keys",
  revoke: "/oauth2/revoke",
  revocations: "/revocations",
  usage: "/usage",
  jwks: "/.well-known/jwks.json",
  authorizationServerMetadata: "/.well-known/oauth-authorization-server",
  openidConfiguration: "/.well-known/openid-configuration",
  protectedResourceMetadata: "/.well-known/oauth-protected-resource",
} as const;
