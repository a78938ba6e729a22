/**
 * API keys (docs/protocol.md §4.3): the auth-server knows them, by hash, so it is asked; its answer is
 * kept for seconds, and what the feed has revoked meanwhile is refused at once. A key that cannot be one
 * is refused here. An unknown one is asked about once in those seconds, and a caller's address has only a
 * share of such questions.
 */
import { createHash } from "node:crypto";
import { idOfApiKey } from "@daykey/common/api-key";
import type { Clock } from "@daykey/common/clock";
import { checksumOf, withoutChecksum } from "@daykey/common/secret-hash";
import type { KeyClaims } from "@daykey/common/key-claims";
import { type Authenticate, InvalidCredential } from "../access.ts";
import type { Ask } from "../tokens/ask.ts";
import { accessOfKey } from "./key-access.ts";
import type { RevocationFeed } from "../revocation/revocations.ts";

export function createApiKeyAuthenticator({
  ask,
  feed,
  issuer,
  audience,
  clock,
}: {
  ask: Ask<KeyClaims>;
  feed: Pick<RevocationFeed, "isRevoked">;
  issuer: string;
  /** This resource. */
  audience: string;
  clock: Clock;
}): Authenticate {
  return async (key, { address }) => {
    const id = idOfApiKey(key);
    if (id === undefined || !hasChecksum(key)) throw new InvalidCredential("malformed");
    // A client whose epoch rose still has its keys (docs/protocol.md §5.1).
    const claims = await ask(key, {
      from: { address },
      isOutdated: (said) => feed.isRevoked(said, undefined),
    });
    // An answer about another key, however that came about, does not help this one.
    if (claims?.cred !== id) throw new InvalidCredential("inactive");
    const access = accessOfKey(claims, { via: "api_key", issuer, audience, now: clock() });
    if (feed.isRevoked(claims, undefined)) throw new InvalidCredential("revoked", access);
    return access;
  };
}

function hasChecksum(key: string): boolean {
  const body = withoutChecksum(key);
  return `${body}_${checksumOf(createHash("sha256").update(body).digest())}` === key;
}
