/**
 * Signature keys of clients (docs/protocol.md §5.3): the auth-server has them, so it is asked, by the id
 * that a signature names; its answer is kept for seconds, and what the feed has revoked meanwhile is
 * refused at once.
 */
import {
  createHmac,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
  verify,
} from "node:crypto";
import { fromBase64url } from "@daykey/common/bytes";
import type { Clock } from "@daykey/common/clock";
import { type KeyClaims, readKeyClaims } from "@daykey/common/key-claims";
import { PATHS } from "@daykey/common/protocol";
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from "@daykey/common/signed-request";
import { type Access, type CredentialKind, type Holder, InvalidCredential } from "../access.ts";
import { type Ask, type AskDeps, createAsk } from "../tokens/ask.ts";
import { accessOfKey } from "./key-access.ts";
import type { RevocationFeed } from "../revocation/revocations.ts";

type SignatureKeyClaims = KeyClaims & { alg: SignatureAlgorithm; jwk: JsonWebKey };

export interface SignatureKey {
  algorithm: SignatureAlgorithm;
  /** For HMAC: the bytes that the text of the key stands for. */
  secret?: Uint8Array;
  /** For HMAC: the key as its holder has it, in base64url. */
  secretText?: string;
  publicKey?: KeyObject;
}

/** A key that an authenticator found, and what it gives its holder, which nobody has proven yet. */
export interface FoundKey {
  key: SignatureKey;
  holder: Holder;
  /**
   * What its holder may do.
   * @throws {InvalidCredential} for a key of another issuer or resource, expired or revoked
   */
  access(): Access;
}

/**
 * The key of this id, or undefined. A key id is no secret: `address` is the caller's, as limits count it.
 * @throws {AuthServerUnavailable}
 */
export type FindKey = (
  keyId: string,
  via: CredentialKind,
  address: string,
) => Promise<FoundKey | undefined>;

export function createFindKey({
  ask,
  feed,
  issuer,
  audience,
  clock,
}: {
  ask: Ask<SignatureKeyClaims>;
  feed: Pick<RevocationFeed, "isRevoked">;
  issuer: string;
  /** This resource. */
  audience: string;
  clock: Clock;
}): FindKey {
  return async (keyId, via, address) => {
    // A client whose epoch rose still has its keys (docs/protocol.md §5.1).
    const claims = await ask(keyId, {
      from: { address },
      isOutdated: (said) => feed.isRevoked(said, undefined),
    });
    // An answer about another key, however that came about, does not help this one.
    const key = claims?.cred === keyId ? toKey(claims) : undefined;
    if (!claims || !key) return undefined;
    const holder = { clientId: claims.client_id, credential: claims.cred };
    return {
      key,
      holder,
      access() {
        const access = accessOfKey(claims, { via, issuer, audience, now: clock() });
        if (feed.isRevoked(claims, undefined)) throw new InvalidCredential("revoked", holder);
        return access;
      },
    };
  };
}

export function createSignatureKeyQuestion(deps: AskDeps): Ask<SignatureKeyClaims> {
  return createAsk({
    ...deps,
    path: PATHS.signatureKeys,
    parameter: "key_id",
    read: readSignatureKeyClaims,
  });
}

function readSignatureKeyClaims(answer: object): SignatureKeyClaims | undefined {
  const { alg, jwk } = answer as Partial<Record<string, unknown>>;
  const isKnown = SIGNATURE_ALGORITHMS.some((name) => name === alg);
  if (!isKnown || typeof jwk !== "object" || jwk === null || !readKeyClaims(answer)) {
    return undefined;
  }
  return answer as SignatureKeyClaims;
}

function toKey({ alg, jwk }: SignatureKeyClaims): SignatureKey | undefined {
  if (alg === "hmac-sha256") {
    const secret = typeof jwk.k === "string" ? fromBase64url(jwk.k) : undefined;
    return secret && { algorithm: alg, secret, secretText: jwk.k as string };
  }
  try {
    const publicKey = createPublicKey({ key: jwk, format: "jwk" });
    return publicKey.asymmetricKeyType === "ed25519" ? { algorithm: alg, publicKey } : undefined;
  } catch {
    return undefined;
  }
}

/** Takes the place of a key that is not there, so that looking costs the same. */
const NO_KEY = randomBytes(32);

/** Whether a signature is the key's over these bytes; without a key it is not. */
export function isSignatureOf(
  key: SignatureKey | undefined,
  signature: Uint8Array,
  data: Uint8Array,
): boolean {
  if (key?.publicKey) {
    return signature.length === 64 && verify(null, data, key.publicKey, signature);
  }
  const isGenuine = isHmacOf(key?.secret ?? NO_KEY, signature, data);
  return key !== undefined && isGenuine;
}

/** HMAC-SHA-256. */
export function isHmacOf(key: Uint8Array | string, mac: Uint8Array, data: Uint8Array): boolean {
  const expected = createHmac("sha256", key).update(data).digest();
  return mac.length === expected.length && timingSafeEqual(mac, expected);
}
