/**
 * What a signed request and a signed answer must cover (docs/protocol.md §4.10, §5.4): the rules that client and
 * resource-server share. RFC 9421 §1.4 leaves them to each application.
 */
import type { ComponentName } from "./http-signature.ts";

/** Algorithms of clients' signature keys (RFC 9421 §6.2.2); a key has one of them. */
export const SIGNATURE_ALGORITHMS = ["hmac-sha256", "ed25519"] as const;
export type SignatureAlgorithm = (typeof SIGNATURE_ALGORITHMS)[number];

/**
 * The tag of a request's signature, and of a signed URL's. A signature may leave its tag out, but one
 * that was made for something else is not taken for a request.
 */
export const REQUEST_TAG = "daykey";
export const URL_TAG = "daykey-url";

/** Seconds a request's signature is good for after `created`. */
export const SIGNATURE_LIFE_SECONDS = 300;

/** What each request's signature covers; `@target-uri` stands for the last three. */
export const REQUEST_COMPONENTS: readonly ComponentName[] = [
  "@method",
  "@authority",
  "@path",
  "@query",
];

/** What an answer's signature covers, besides what the request asked for. */
export const ANSWER_COMPONENTS: readonly ComponentName[] = [
  "@status",
  "content-digest",
  "content-type",
  "@method;req",
  "@authority;req",
  "@path;req",
  "@query;req",
];
