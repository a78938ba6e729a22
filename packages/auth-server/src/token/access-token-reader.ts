/** Reading this server's own access tokens back: genuine or not; nothing of their end or revocation. */
import { type AccessTokenClaims, readAccessTokenClaims } from "@daykey/common/access-token";
import type { KeyRing } from "../keys/key-ring.ts";
import { readOpaqueToken } from "./opaque-token.ts";

/** A genuine access token. */
export interface ReadAccessToken {
  claims: AccessTokenClaims;
  /** The key that signed a JWT; an opaque token has none. */
  kid: string | undefined;
}

/** Undefined for whatever this server did not issue. */
export type AccessTokenReader = (token: string) => ReadAccessToken | undefined;

const MAX_TOKEN_LENGTH = 8192;

export function createAccessTokenReader({
  keys,
  issuer,
}: {
  keys: KeyRing;
  issuer: string;
}): AccessTokenReader {
  return (token) => {
    if (token.length > MAX_TOKEN_LENGTH) return undefined;
    const sealed = readOpaqueToken(token, keys.opaqueKeyOf, issuer);
    if (sealed) return { claims: sealed, kid: undefined };
    const key = keys.signerOf(token);
    if (!key) return undefined;
    const payload = Buffer.from(token.split(".")[1] ?? "", "base64url").toString();
    const claims = readAccessTokenClaims(JSON.parse(payload));
    return claims?.iss === issuer ? { claims, kid: key.kid } : undefined;
  };
}
