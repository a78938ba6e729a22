/**
 * The master key: the one secret the operator keeps outside the database. From it come, each for one
 * purpose, the key that seals other keys, the key of fake verifiers, that of nonces, and a public id.
 */
import { hkdfSync, randomBytes } from "node:crypto";
import argon2 from "argon2";
import { ARGON2ID } from "@daykey/common/secret-hash";

export interface MasterKey {
  /** 8 bytes; says which master key sealed a value and nothing else about it. */
  id: Buffer;
  /** AES-256 key for `sealing.ts`. */
  sealingKey: Buffer;
  /** HMAC key of the verifiers of absent secrets (docs/protocol.md §1, "One answer"). */
  enumerationKey: Buffer;
  /** HMAC key of the nonces of DPoP proofs (docs/protocol.md §9). */
  dpopNonceKey: Buffer;
}

const HEX_KEY = /^[0-9a-f]{64}$/;
const PASSPHRASE = "passphrase:";
const PASSPHRASE_MIN_LENGTH = 16;
const SAMPLE_PASSPHRASE = /change[ -]?me|password|passphrase|example|sample|secret/i;

/** Why a master key cannot be used, or undefined. The key itself is never in the answer. */
export function masterKeyFault(text: string): string | undefined {
  if (text.startsWith(PASSPHRASE)) {
    const passphrase = text.slice(PASSPHRASE.length);
    if (passphrase.length < PASSPHRASE_MIN_LENGTH) {
      return `must have a passphrase of at least ${PASSPHRASE_MIN_LENGTH} characters`;
    }
    return SAMPLE_PASSPHRASE.test(passphrase) || new Set(passphrase).size < 6
      ? "has a sample passphrase; choose another"
      : undefined;
  }
  if (!HEX_KEY.test(text)) return "must be 64 lowercase hex digits, or passphrase:<text>";
  return isPatterned(Buffer.from(text, "hex")) ? "is a sample key; make a random one" : undefined;
}

/** Few distinct bytes, or bytes in even steps: no random key looks so, and every sample does. */
function isPatterned(key: Buffer): boolean {
  if (new Set(key).size < 17) return true;
  const step = (key.readUInt8(1) - key.readUInt8(0)) & 0xff;
  return key.every((byte, i) => i === 0 || ((byte - key.readUInt8(i - 1)) & 0xff) === step);
}

/** 32 random bytes as hex: a master key for a first start. */
export function generateMasterKey(): string {
  return randomBytes(32).toString("hex");
}

/**
 * The keys derived from a master key's text. `salt` (16 bytes, kept in the database) matters to a
 * passphrase only.
 * @throws {TypeError} when `masterKeyFault` has a fault to name
 */
export async function openMasterKey(text: string, salt: Buffer): Promise<MasterKey> {
  const fault = masterKeyFault(text);
  if (fault) throw new TypeError(`master key: ${fault}`);
  const secret = text.startsWith(PASSPHRASE)
    ? await argon2.hash(text.slice(PASSPHRASE.length).normalize("NFC"), {
        raw: true,
        type: argon2.argon2id,
        salt,
        memoryCost: ARGON2ID.memoryKiB * 4,
        timeCost: 3,
        parallelism: 1,
        hashLength: 32,
      })
    : Buffer.from(text, "hex");
  const derive = (purpose: string, length: number): Buffer =>
    Buffer.from(hkdfSync("sha256", secret, "", `daykey-${purpose}-v1`, length));
  return {
    id: derive("master-key-id", 8),
    sealingKey: derive("sealing", 32),
    enumerationKey: derive("enumeration", 32),
    dpopNonceKey: derive("dpop-nonce", 32),
  };
}
