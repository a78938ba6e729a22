/**
 * Opaque access tokens (docs/protocol.md §2.2): only the auth-server can read one, so it is asked, and
 * its answer is kept for seconds. What the feed has revoked meanwhile is refused at once.
 */
import type { Clock } from "@daykey/common/clock";
import { MAX_ACCESS_TOKEN_LENGTH } from "@daykey/common/protocol";
import { LRUCache } from "lru-cache";
import { accessOfToken, type Authenticate, InvalidCredential } from "../access.ts";
import type { Introspect } from "./introspection.ts";
import type { RevocationFeed } from "../revocation/revocations.ts";
import { RevocationsUnknown } from "../revocation/stale-policy.ts";

const OPAQUE = /^dka1\.([a-z0-9]{8})\.[A-Za-z0-9_-]+$/;
/** More than the live keys of any auth-server. */
const KEYS_REMEMBERED = 8;

export function isOpaque(token: string): boolean {
  return token.startsWith("dka1.");
}

export function createOpaqueTokenValidator({
  introspect,
  feed,
  issuer,
  audience,
  clock,
}: {
  introspect: Introspect;
  feed: Pick<RevocationFeed, "isRevoked">;
  issuer: string;
  /** This resource. */
  audience: string;
  clock: Clock;
}): Authenticate {
  const knownKeys = new LRUCache<string, true>({ max: KEYS_REMEMBERED });

  return async (token) => {
    const keyId = token.length > MAX_ACCESS_TOKEN_LENGTH ? undefined : OPAQUE.exec(token)?.[1];
    if (keyId === undefined) throw new InvalidCredential("malformed");
    // Nothing tells this server the ids of the sealing keys. One that sealed an active token is real, and
    // who makes up tokens without having seen one does not know it.
    const isLikely = knownKeys.has(keyId);
    const claims = await introspect(token, { isLikely }).catch((error: unknown) => {
      throw new RevocationsUnknown("introspection_failed", error);
    });
    if (!claims) throw new InvalidCredential("inactive");
    knownKeys.set(keyId, true);
    const access = accessOfToken(claims);
    if (claims.iss !== issuer) throw new InvalidCredential("wrong_iss", access);
    if (claims.aud !== audience) throw new InvalidCredential("wrong_aud", access);
    if (claims.exp <= clock()) throw new InvalidCredential("expired", access);
    if (feed.isRevoked(claims, undefined)) throw new InvalidCredential("revoked", access);
    return access;
  };
}
