/**
 * Reading this server's own access tokens back: genuine or not; nothing of their end or revocation. A
 * JWT that was verified is remembered by its digest, for a signature takes longer than all else about an
 * introspection; what is not genuine never is.
 */
import { hash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { type AccessTokenClaims, decodeAccessTokenClaims } from "@daykey/common/access-token";
import { parseJws } from "@daykey/common/jws";
import { MAX_ACCESS_TOKEN_LENGTH } from "@daykey/common/protocol";
import type { KeyRing } from "../keys/key-ring.ts";
import { openOpaqueToken } from "../token/opaque-token.ts";

/** A genuine access token. */
export interface ReadAccessToken {
  claims: Readonly<AccessTokenClaims>;
  /** The key that signed a JWT; an opaque token has none. */
  kid: string | undefined;
}

/** Undefined for whatever this server did not issue. */
export type AccessTokenReader = (token: string) => ReadAccessToken | undefined;

const REMEMBERED_TOKENS = 10_000;

export function createAccessTokenReader({
  keys,
  issuer,
}: {
  keys: Pick<KeyRing, "signerOf" | "hasSigner" | "opaqueKeyOf">;
  issuer: string;
}): AccessTokenReader {
  const verified = new LRUCache<string, { claims: AccessTokenClaims; kid: string }>({
    max: REMEMBERED_TOKENS,
  });

  function readJwt(token: string): { claims: AccessTokenClaims; kid: string } | undefined {
    const jws = parseJws(token);
    const key = typeof jws === "string" ? undefined : keys.signerOf(token);
    if (typeof jws === "string" || !key) return undefined;
    const claims = decodeAccessTokenClaims(jws.payload);
    return claims?.iss === issuer ? { claims, kid: key.kid } : undefined;
  }

  return (token) => {
    if (token.length > MAX_ACCESS_TOKEN_LENGTH) return undefined;
    const opened = openOpaqueToken(token, keys.opaqueKeyOf, issuer);
    const sealed = opened && decodeAccessTokenClaims(opened);
    if (sealed) return { claims: sealed, kid: undefined };
    const digest = hash("sha256", token, "base64");
    const known = verified.get(digest);
    // A key that was removed takes what it signed along.
    if (known && keys.hasSigner(known.kid)) return known;
    const read = readJwt(token);
    if (read) verified.set(digest, read);
    return read;
  };
}
