/**
 * Access keys: the credentials of a client that go straight to a resource, API keys and the keys of
 * signed requests (docs/protocol.md §5). Why separate from secrets: they open no grant, have no epoch,
 * and are for one resource.
 */
import type { Quota } from "@daykey/common/quota";
import type { SignatureAlgorithm } from "@daykey/common/signed-request";

export const ACCESS_KEY_KINDS = ["api_key", "signature_key"] as const;
export type AccessKeyKind = (typeof ACCESS_KEY_KINDS)[number];

/** RFC 8037 §2: an Ed25519 public key. */
export interface Ed25519Jwk {
  kty: "OKP";
  crv: "Ed25519";
  x: string;
}

/** What is kept of a key itself. */
export type KeyMaterial =
  | { kind: "api_key"; hash: Buffer }
  | { kind: "signature_key"; algorithm: "hmac-sha256"; secret: Buffer }
  | { kind: "signature_key"; algorithm: "ed25519"; publicJwk: Ed25519Jwk };

/** What an operator decides about a key; nothing of it changes later. */
export interface AccessKeyTerms {
  clientId: string;
  /** For people; never interpreted. */
  name: string;
  resource: string;
  scopes: readonly string[];
  quotas: readonly Quota[];
}

/** Everything about a key that may be shown; times are epoch seconds, by the database's clock. */
export interface AccessKey extends AccessKeyTerms {
  id: string;
  kind: AccessKeyKind;
  /** Only for a signature key. */
  algorithm: SignatureAlgorithm | undefined;
  /** Only for an `ed25519` key. */
  publicJwk: Ed25519Jwk | undefined;
  createdAt: number;
  /** Undefined: it has no end of its own. */
  expiresAt: number | undefined;
  lastUsedAt: number | undefined;
  revokedAt: number | undefined;
  /** Neither revoked nor expired. */
  live: boolean;
}
