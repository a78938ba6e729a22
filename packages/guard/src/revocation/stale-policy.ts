/**
 * Whether a token that is valid by itself has been revoked: by the feed's set while the feed speaks,
 * and by STALE_POLICY while it does not (docs/protocol.md §3).
 */
import type { AccessTokenClaims } from "@daykey/common/access-token";
import { OWN_MESSAGE } from "@daykey/common/own-message";
import type { Introspect } from "../tokens/introspection.ts";
import type { RevocationFeed } from "./revocations.ts";

export type StalePolicy =
  /** Ask the auth-server for each token. */
  | { kind: "introspect" }
  /** Serve nobody. */
  | { kind: "deny" }
  /** Serve by what is known until the feed has been silent for so long, then nobody. */
  | { kind: "allow"; seconds: number };

/** Reads `introspect`, `deny` or `allow:<seconds>`, 1 to 99999; undefined for any other text. */
export function readStalePolicy(text: string): StalePolicy | undefined {
  if (text === "introspect" || text === "deny") return { kind: text };
  const seconds = /^allow:([1-9]\d{0,4})$/.exec(text)?.[1];
  return seconds === undefined ? undefined : { kind: "allow", seconds: Number(seconds) };
}

/** A token whose signature, times and audience were found good. */
export interface ValidToken {
  token: string;
  claims: AccessTokenClaims;
  /** The kid of the key that signed it. */
  kid: string;
}

/** @throws {RevocationsUnknown} when that cannot be said */
export type IsRevoked = (token: ValidToken) => Promise<boolean>;

/** Nothing can be said about any token now. */
export class RevocationsUnknown extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "RevocationsUnknown";
  /** For the log. */
  readonly reason: "feed_stale" | "introspection_failed";

  constructor(reason: RevocationsUnknown["reason"], cause?: unknown) {
    super(reason, { cause });
    this.reason = reason;
  }
}

export function createRevocationCheck({
  feed,
  policy,
  introspect,
}: {
  feed: Pick<RevocationFeed, "isRevoked" | "isFresh" | "ageSeconds">;
  policy: StalePolicy;
  introspect: Introspect;
}): IsRevoked {
  return async ({ token, claims, kid }) => {
    // What was heard stays true, however long ago.
    if (feed.isRevoked(claims, kid)) return true;
    if (feed.isFresh()) return false;
    if (policy.kind === "allow" && feed.ageSeconds() <= policy.seconds) return false;
    if (policy.kind !== "introspect") throw new RevocationsUnknown("feed_stale");
    try {
      // An answer about another token, however that came about, does not help this one.
      return (await introspect(token, { from: { isProven: true } }))?.jti !== claims.jti;
    } catch (error) {
      throw new RevocationsUnknown("introspection_failed", error);
    }
  };
}
