/** The keys that are in use: which of those in memory makes or checks a token at an instant. */
import type { JWK } from "jose";
import type { Clock } from "@daykey/common/clock";
import { OAuthError } from "@daykey/common/oauth-error";
import type { SigningAlgorithm } from "@daykey/common/protocol";
import type { KeyPurpose } from "./keys-store.ts";
import { keyInUse, type KeyTimes, keyTimes, type RotationPolicy } from "./rotation.ts";
import type { SigningKey } from "./signer.ts";
import type { SymmetricKey } from "./symmetric-keys.ts";

export interface KeysInUse {
  /** The key that signs access tokens now. */
  signingKey(): SigningKey;
  /** The key that made this JWT access token, of those in the JWKS. */
  signerOf(token: string): SigningKey | undefined;
  /** Whether a key of this kid is in the JWKS. */
  hasSigner(kid: string): boolean;
  /** Next, current and retired keys (RFC 7517 §5). */
  publicJwks(): JWK[];
  signingAlgorithms(): SigningAlgorithm[];
  /** The MAC key in use at an instant: every instance answers the same for the same instant. */
  refreshKeyAt(at: number): SymmetricKey;
  /** The key that seals opaque access tokens now. */
  opaqueKey(): SymmetricKey;
  opaqueKeyOf(kid: string): SymmetricKey | undefined;
  /** For each purpose: since when its key is in use, and when the next one will be. */
  times(): Record<KeyPurpose, { usedSince: number; nextAt: number }>;
  /** Why keys that are in use cannot be used here, in a few words; undefined when they can. */
  fault(): string | undefined;
}

/** `key` is undefined where another master key sealed it. */
export type RingKey<T> = KeyTimes & { key: T | undefined };

export interface RingKeys {
  access_token: readonly RingKey<SigningKey>[];
  refresh_token: readonly RingKey<SymmetricKey>[];
  opaque_token: readonly RingKey<SymmetricKey>[];
}

export const UNREADABLE = "sealed by another master key";

function unreadable(): OAuthError {
  return new OAuthError("temporarily_unavailable", "The server cannot answer now. Try again.", {
    detail: "key_unreadable",
    headers: { "Retry-After": "1" },
  });
}

/** @param read the keys as they are now */
export function createKeysInUse({
  read,
  policyOf,
  clock,
}: {
  read: () => RingKeys;
  policyOf: Readonly<Record<KeyPurpose, RotationPolicy>>;
  clock: Clock;
}): KeysInUse & { refreshKeyOf(kid: string): SymmetricKey | undefined } {
  return {
    signingKey: () => inUse(read().access_token, clock()),
    signerOf(token) {
      const signing = read().access_token;
      const signer = signing.find(({ key }) => key?.verify(token))?.key;
      if (!signer && signing.some(({ key, kid }) => !key && isHeaderOf(kid, token))) {
        throw unreadable();
      }
      return signer;
    },
    hasSigner: (kid) => read().access_token.some((key) => key.kid === kid),
    publicJwks: () => read().access_token.flatMap(({ key }) => key?.publicJwk ?? []),
    signingAlgorithms: () => [
      ...new Set(read().access_token.flatMap(({ key }) => key?.algorithm ?? [])),
    ],
    refreshKeyAt: (at) => inUse(read().refresh_token, at),
    opaqueKey: () => inUse(read().opaque_token, clock()),
    opaqueKeyOf: (kid) => ofKid(read().opaque_token, kid),
    fault() {
      const { access_token, refresh_token, opaque_token } = read();
      const inUseNow = [access_token, refresh_token, opaque_token].map((keys) =>
        keyInUse<RingKey<unknown>>(keys, clock()),
      );
      return inUseNow.some((found) => found && !found.key) ? UNREADABLE : undefined;
    },
    times() {
      const keys = read();
      const timesOf = (purpose: KeyPurpose) => {
        const times = keyTimes(keys[purpose], policyOf[purpose], clock());
        if (!times) throw new Error("the key ring is empty");
        return times;
      };
      return {
        access_token: timesOf("access_token"),
        refresh_token: timesOf("refresh_token"),
        opaque_token: timesOf("opaque_token"),
      };
    },
    refreshKeyOf: (kid) => ofKid(read().refresh_token, kid),
  };
}

function inUse<T>(keys: readonly RingKey<T>[], at: number): T {
  const found = keyInUse(keys, at);
  if (!found) throw new Error("the key ring is empty");
  if (!found.key) throw unreadable();
  return found.key;
}

/** Undefined for a kid that is not known. */
function ofKid<T>(keys: readonly RingKey<T>[], kid: string): T | undefined {
  const found = keys.find((key) => key.kid === kid);
  if (found && !found.key) throw unreadable();
  return found?.key;
}

/** Whether a token's header names this kid. Nothing else of it is looked at. */
function isHeaderOf(kid: string, token: string): boolean {
  const [header = ""] = token.split(".", 1);
  return Buffer.from(header, "base64url").toString("latin1").includes(`"${kid}"`);
}
