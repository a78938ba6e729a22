/** Everything a program needs, and the only barrel here. */
export type { AccessToken, CallToProve } from "./access-token.ts";
export { authorizedFetch, type AuthorizedFetchOptions } from "./authorized-fetch.ts";
export { clientSecretBasic } from "./client-secret-basic.ts";
export { clientSecretPost } from "./client-secret-post.ts";
export type { ClientCredential, Proof, ProofContext, Sourced } from "./credential.ts";
export {
  type ChosenCredentialFile,
  type CredentialFile,
  type CredentialFileOptions,
  fromCredentialFile,
  type SecretMethod,
} from "./credential-file.ts";
export { dayForm } from "./day-form.ts";
export { discovery, type DiscoveryOptions, type ServerMetadata } from "./discovery.ts";
export { DaykeyError, type DaykeyErrorCode, type DaykeyErrorDetails } from "./errors.ts";
export { oneTimeForm } from "./one-time-form.ts";
export type { Fetch, Platform } from "./platform.ts";
export { privateKeyJwt, type PrivateJwk } from "./private-key-jwt.ts";
export type { SecretMaterial } from "./secret-material.ts";
export { readSignatureKey, type SignatureKey, type SignatureKeyFile } from "./signature-key.ts";
export {
  type RequestToSign,
  signedFetch,
  type SignedFetchOptions,
  signRequest,
} from "./signed-fetch.ts";
export { signUrl, type SignUrlOptions } from "./sign-url.ts";
export {
  type PrimeEvidence,
  type PrimeVerification,
  verifyPrimeAnswer,
} from "@daykey/common/prime-answer";
export { tlsClientAuth } from "./tls-client-auth.ts";
export {
  createTokenSource,
  type ExchangeOptions,
  type TokenSource,
  type TokenSourceOptions,
} from "./token-source.ts";
export { fetchWithTrace, type TraceContext } from "./trace-context.ts";
export { verifiedFetch, type VerifiedFetchOptions } from "./verified-fetch.ts";
