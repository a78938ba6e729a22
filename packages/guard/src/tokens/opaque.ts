/**
 * Opaque access tokens (docs/protocol.md §2.2): only the auth-server can read one, so it is asked, and
 * its answer is kept for seconds. What the feed has revoked meanwhile is refused at once.
 */
import type { Clock } from "@daykey/common/clock";
import { MAX_ACCESS_TOKEN_LENGTH } from "@daykey/common/protocol";
import { accessOfToken, type Authenticate, InvalidCredential } from "../access.ts";
import type { Introspect } from "./introspection.ts";
import type { RevocationFeed } from "../revocation/revocations.ts";
import { RevocationsUnknown } from "../revocation/stale-policy.ts";

const OPAQUE = /^dka1\.[a-z0-9]{8}\.[A-Za-z0-9_-]+$/;

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
  return async (token, { address }) => {
    const isForm = token.length <= MAX_ACCESS_TOKEN_LENGTH && OPAQUE.test(token);
    if (!isForm) throw new InvalidCredential("malformed");
    // The key id proves nothing: whoever has seen one token can write it into any text.
    const claims = await introspect(token, { from: { address } }).catch((error: unknown) => {
      throw new RevocationsUnknown("introspection_failed", error);
    });
    if (!claims) throw new InvalidCredential("inactive");
    const access = accessOfToken(claims);
    if (claims.iss !== issuer) throw new InvalidCredential("wrong_iss", access);
    if (claims.aud !== audience) throw new InvalidCredential("wrong_aud", access);
    if (claims.exp <= clock()) throw new InvalidCredential("expired", access);
    if (feed.isRevoked(claims, undefined)) throw new InvalidCredential("revoked", access);
    return access;
  };
}
