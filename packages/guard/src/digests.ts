import crypto, { createHash } from "node:crypto";
import type { DigestPrimitives } from "@daykey/common/content-digest";

const digest = (name: string) => (data: Uint8Array) => createHash(name).update(data).digest();

/** What `Content-Digest` is made of, by Node. */
export const DIGESTS: DigestPrimitives = { sha256: digest("sha256"), sha512: digest("sha512") };

/** SHA-256 of a text as base64url. */
export const sha256Base64url = (text: string): string =>
  createHash("sha256").update(text).digest("base64url");

/** SHA-256 of a text, by the way that is fastest where it exists: a token is hashed at each use. */
export const sha256OfText: (text: string) => string =
  "hash" in crypto
    ? (text) => crypto.hash("sha256", text, "base64")
    : (text) => createHash("sha256").update(text).digest("base64");
