/** Reading this server's refresh tokens back: genuine or not, nothing else. */
import { timingSafeEqual } from "node:crypto";
import type { KeyRing } from "../keys/key-ring.ts";
import { decodePayload, type RefreshToken, splitRefreshToken } from "./refresh-token-format.ts";

/** The token, or why it is none of ours: a reason for the log. */
export type ReadRefreshToken = RefreshToken | { fault: string };

/** @throws {DatabaseUnavailable} when its key id is unknown here and cannot be looked up */
export type RefreshTokenReader = (text: string) => Promise<ReadRefreshToken>;

export function createRefreshTokenReader({
  keys,
  issuer,
}: {
  keys: KeyRing;
  issuer: string;
}): RefreshTokenReader {
  return async (text) => {
    const parts = splitRefreshToken(text, issuer);
    if (!parts) return { fault: "malformed_refresh_token" };
    const key = await keys.refreshKey(parts.keyId);
    if (!key) return { fault: "unknown_refresh_key" };
    if (!timingSafeEqual(key.mac(parts.sealed), parts.tag)) {
      return { fault: "forged_refresh_token" };
    }
    return decodePayload(parts.payload) ?? { fault: "unknown_refresh_version" };
  };
}
