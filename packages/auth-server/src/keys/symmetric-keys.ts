/** The secret keys of the ring: the MAC of refresh tokens, the seal of opaque access tokens. */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  randomBytes,
} from "node:crypto";

export interface SymmetricKey {
  kid: string;
  /** HMAC-SHA-256, 32 bytes. */
  mac(message: string): Buffer;
  /** AES-256-GCM with a fresh random iv: iv(12) ‖ ciphertext ‖ tag(16). */
  seal(plaintext: Buffer, associatedData: string): Buffer;
  /** Undefined for anything this key did not seal with this associated data. */
  open(sealed: Buffer, associatedData: string): Buffer | undefined;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;

/** `secret` is 32 bytes. A key is used for one purpose only: one kind of token. */
export function createSymmetricKey(kid: string, secret: Buffer): SymmetricKey {
  // As a key object: given as bytes, it would be made one for each use, at five times the cost.
  const key = createSecretKey(secret);
  return {
    kid,
    mac: (message) => createHmac("sha256", key).update(message).digest(),
    seal(plaintext, associatedData) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, iv);
      cipher.setAAD(Buffer.from(associatedData));
      return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, associatedData) {
      if (sealed.length < IV_BYTES + TAG_BYTES) return undefined;
      const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, IV_BYTES));
      decipher.setAAD(Buffer.from(associatedData));
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
      const ciphertext = sealed.subarray(IV_BYTES, -TAG_BYTES);
      try {
        return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
      } catch {
        return undefined;
      }
    },
  };
}
