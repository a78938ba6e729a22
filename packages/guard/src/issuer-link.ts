/**
 * What the resource's own credential opens at its issuer: the feed of revocations, questions about tokens
 * and keys that only the issuer can judge, and reports of usage.
 */
import type { Fetch } from "@daykey/client/internal/platform";
import type { Clock } from "@daykey/common/clock";
import { type Authenticate, InvalidCredential } from "./access.ts";
import type { Authenticators } from "./check.ts";
import { createApiKeyAuthenticator } from "./keys/api-key.ts";
import { createSignatureVerifier } from "./keys/http-signature.ts";
import type { NonceStore } from "./keys/nonce-store.ts";
import { createFindKey, createSignatureKeyQuestion } from "./keys/signature-keys.ts";
import { createSignedUrlVerifier } from "./keys/signed-url.ts";
import { createSimpleSignatureVerifier } from "./keys/simple-signature.ts";
import type { GuardLog } from "./log.ts";
import { createUsage, type Usage } from "./quota/usage.ts";
import {
  createRevocationFeed,
  type FeedLimits,
  type RevocationFeed,
} from "./revocation/revocations.ts";
import {
  createRevocationCheck,
  type IsRevoked,
  type StalePolicy,
} from "./revocation/stale-policy.ts";
import type { AskDeps } from "./tokens/ask.ts";
import { createApiKeyIntrospector, createIntrospector } from "./tokens/introspection.ts";
import type { Jwks } from "./tokens/jwks.ts";
import { createOpaqueTokenValidator } from "./tokens/opaque.ts";
import { createStrangers } from "./tokens/strangers.ts";
import { createOwnClient, type CredentialSource, type OwnCredential } from "./tokens/own-client.ts";

export interface IssuerLink {
  feed: RevocationFeed | undefined;
  /** Whether a JWT was revoked; undefined where no revocations are heard. */
  isRevoked: IsRevoked | undefined;
  usage: Usage | undefined;
  authenticators: Omit<Authenticators, "access_token"> & { opaque: Authenticate };
}

/** Begins to listen at once. */
export function createIssuerLink({
  issuer,
  resource,
  authServerUrl,
  credential,
  stalePolicy,
  simpleSignatures,
  nonces,
  jwks,
  fetch,
  clock,
  elapsed,
  log,
  limits,
  usageSeconds,
}: {
  issuer: string;
  resource: string;
  authServerUrl: string;
  credential: OwnCredential | CredentialSource;
  stalePolicy: StalePolicy;
  simpleSignatures: { defaultKeyId: string | undefined } | undefined;
  nonces: NonceStore;
  jwks: Pick<Jwks, "heardRevoked">;
  fetch: Fetch;
  clock: Clock;
  elapsed: Clock;
  log: GuardLog;
  limits: Partial<FeedLimits> | undefined;
  usageSeconds: number;
}): IssuerLink {
  const ownClient = createOwnClient({ authServerUrl, issuer, credential, clock });
  const timed = { authServerUrl, clock, elapsed, log };
  const feed = createRevocationFeed({
    ...timed,
    feedToken: (signal) => ownClient.token("revocations:read", signal),
    onSigningKey: jwks.heardRevoked,
    limits,
  });
  const strangers = createStrangers(elapsed);
  const asking: AskDeps = { ...timed, ownClient, fetch, strangers };
  const introspect = createIntrospector(asking);
  const whose = { issuer, audience: resource, clock, feed };
  const findKey = createFindKey({ ...whose, ask: createSignatureKeyQuestion(asking) });
  const signing = { findKey, resource, clock };
  return {
    feed,
    isRevoked: createRevocationCheck({ feed, policy: stalePolicy, introspect }),
    usage: createUsage({
      ...timed,
      resource,
      token: (signal) => ownClient.token("introspect", signal),
      everySeconds: usageSeconds,
    }),
    authenticators: {
      opaque: createOpaqueTokenValidator({ ...whose, introspect }),
      api_key: createApiKeyAuthenticator({ ...whose, ask: createApiKeyIntrospector(asking) }),
      http_signature: createSignatureVerifier({ ...signing, useNonce: nonces.use }),
      signed_url: createSignedUrlVerifier(signing),
      ...(simpleSignatures && {
        simple_signature: createSimpleSignatureVerifier({ ...signing, ...simpleSignatures }),
      }),
    },
  };
}

/** Without a credential: JWTs are good until their end, and what only the issuer can judge is refused. */
export function createNoLink(log: GuardLog): IssuerLink {
  log.warn(
    { event: "until_expiry" },
    "no credential is given: revocations are not heard, a token is good until its end",
  );
  const refuse: Authenticate = () => Promise.reject(new InvalidCredential("nobody_to_ask"));
  return {
    feed: undefined,
    isRevoked: undefined,
    usage: undefined,
    authenticators: { opaque: refuse, api_key: refuse },
  };
}
