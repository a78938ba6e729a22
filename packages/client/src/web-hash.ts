/** The hash primitives of `@daykey/common/secret-hash` over WebCrypto. */
import type { HashPrimitives } from "@daykey/common/secret-hash";

const HMAC = { name: "HMAC", hash: "SHA-256" };

export const webHash: HashPrimitives = {
  sha256: async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", owned(data))),
  async hmacSha256(key, message) {
    const imported = await crypto.subtle.importKey("raw", owned(key), HMAC, false, ["sign"]);
    return new Uint8Array(await crypto.subtle.sign("HMAC", imported, owned(message)));
  },
};

/** WebCrypto's types take no bytes that might be shared between threads. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
