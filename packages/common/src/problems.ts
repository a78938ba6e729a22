/**
 * Every problem (RFC 9457) that a server of ours tells: its code, the slug of its type
 * `urn:daykey:problem:<code>`, with its one status and title. What is particular to a request stands in
 * `detail`. Errors of OAuth endpoints are not here: their codes are those of the RFCs.
 */
export const PROBLEMS = {
  // A request that cannot be taken as it is.
  "invalid-body": [400, "Invalid body"],
  "invalid-query": [400, "Invalid query"],
  "invalid-request": [400, "The request is malformed"],
  "unsupported-media-type": [415, "Unsupported Media Type"],
  "invalid-json": [400, "Bad Request"],
  "body-cut-short": [400, "Bad Request"],
  "body-too-large": [413, "Payload Too Large"],
  "too-many-requests": [429, "Too Many Requests"],

  // Credentials at a resource.
  "invalid-token": [401, "The access token is not valid here"],
  "invalid-api-key": [401, "The API key is not valid here"],
  "invalid-signature": [401, "The signature is not valid here"],
  "insufficient-scope": [403, "The credential lacks a scope"],
  "on-behalf": [403, "A token on behalf of another opens no session"],
  "other-client": [403, "This belongs to another client"],
  "keys-unavailable": [503, "Access tokens cannot be checked now"],
  "revocations-unknown": [503, "Access tokens cannot be checked now"],
  "auth-server-unavailable": [503, "Keys of clients cannot be checked now"],
  "nonces-unavailable": [503, "Signatures cannot be checked now"],
  "quota-exceeded": [429, "The quota is used up"],
  "quota-unavailable": [503, "Quotas cannot be counted now"],

  // At the gateway.
  "ambiguous-request": [400, "The request can be read in more than one way"],
  "not-open": [403, "No route of the gateway leads here"],
  "unknown-upstream": [404, "The proxy has no such upstream"],
  "upstream-unavailable": [502, "The upstream does not answer"],
  "upstream-late": [504, "The upstream does not answer in time"],
  "no-token": [503, "There is no token for the upstream now"],

  // Time and primes.
  "unknown-zone": [400, "Unknown zone"],
  "invalid-number": [400, "Not an integer"],
  "number-too-large": [400, "Too large"],
  "no-such-prime": [404, "No such prime"],
  "prime-checks-busy": [503, "Service Unavailable"],

  // What an operator changes.
  "malformed-id": [404, "There is no such id"],
  "unknown-client": [404, "There is no such client"],
  "unknown-secret": [404, "There is no such secret"],
  "unknown-key": [404, "There is no such key"],
  "unknown-resource": [404, "There is no such resource"],
  "invalid-cursor": [400, "The cursor does not belong to this list"],
  "invalid-if-match": [400, "If-Match must be * or a list of entity tags"],
  "if-match-required": [428, "If-Match is required: send the ETag that you read"],
  "changed-meanwhile": [412, "It was changed since you read it; read it again"],
  "read-only-member": [400, "A member that only the server sets differs from its current value"],
  "invalid-registration": [400, "The client cannot be registered like this"],
  "client-exists": [409, "The client_id is in use, or was"],
  "last-admin": [409, "No other client has admin rights"],
  "invalid-secret": [400, "The chosen secret cannot be used"],
  "invalid-secret-life": [400, "The life of the secret is too short or too long"],
  "invalid-verifiers": [400, "The verifiers cannot be used"],
  "two-live-secrets": [409, "The client has two live secrets; revoke one first"],
  "kid-exists": [409, "The client has a credential with this kid, or had one"],
  "invalid-key": [400, "The key cannot be registered"],
  "too-many-keys": [409, "The client has the most live keys it may have; revoke one first"],
  "key-ended": [409, "The key has ended"],
  "invalid-resource": [400, "The resource cannot be registered like this"],
  "resource-exists": [409, "The resource is registered"],
  "resource-in-use": [409, "Clients have this resource"],
  "shared-scope-names": [409, "Too many clients have these scope names from other resources"],
  "other-resource": [409, "The body describes another resource"],
  "issuer-resource": [409, "The issuer's own resource cannot be changed"],
  "unknown-owner": [409, "The owner is not a client"],
  "unknown-trusted-issuer": [404, "There is no such trusted issuer"],
  "invalid-trusted-issuer": [400, "The issuer cannot be trusted like this"],
  "trusted-issuer-exists": [409, "The name or the iss is another trusted issuer's"],
  "unknown-trust-rule": [404, "There is no such rule"],
  "invalid-trust-rule": [400, "There can be no such rule"],
  "trust-rule-exists": [409, "There is a rule of this name"],
  "too-many-rules": [409, "There are as many as there may be; delete one first"],
  "audit-log-damaged": [503, "The audit log is damaged"],
  busy: [503, "Too many secrets are being made at once"],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ProblemCode = keyof typeof PROBLEMS;
