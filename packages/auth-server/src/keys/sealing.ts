/**
 * Sealing: keys at rest under the master key, with AES-256-GCM. A sealed value is
 * version(1) ‖ master-key id(8) ‖ nonce(12) ‖ ciphertext ‖ tag(16), and its associated data names the
 * table and row it belongs to, so it opens nowhere else.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { OWN_MESSAGE } from "@daykey/common/own-message";
import type { MasterKey } from "./master-key.ts";

const VERSION = 1;
const ID_END = 9;
const NONCE_END = 21;
const TAG_BYTES = 16;

export class CannotUnseal extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "CannotUnseal";
}

/** Where a sealed value lives. */
export interface SealedPlace {
  table: string;
  row: string;
}

export interface Sealer {
  seal(plaintext: Buffer, place: SealedPlace): Buffer;
  /** @throws {CannotUnseal} in one sentence: another master key, another place, or altered bytes */
  open(sealed: Buffer, place: SealedPlace): Buffer;
  /** Whether the value names a master key that this sealer has. */
  knows(sealed: Buffer): boolean;
  /** Whether the value is sealed by the current master key, not by the previous one. */
  isCurrent(sealed: Buffer): boolean;
  /** The id of the current master key: bytes 1 to 8 of what it sealed. */
  readonly masterKeyId: Buffer;
}

/** Seals with `current`; opens what `current` or, while the master key is being changed, `previous` sealed. */
export function createSealer(current: MasterKey, previous?: MasterKey): Sealer {
  const keyOf = (sealed: Buffer): MasterKey | undefined =>
    [current, previous].find((key) => key?.id.equals(sealed.subarray(1, ID_END)));

  return {
    seal(plaintext, place) {
      const head = Buffer.concat([Buffer.of(VERSION), current.id, randomBytes(12)]);
      const cipher = createCipheriv("aes-256-gcm", current.sealingKey, head.subarray(ID_END));
      cipher.setAAD(associatedData(head, place));
      return Buffer.concat([head, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    },

    open(sealed, place) {
      const name = `${place.table} ${place.row}`;
      if (sealed.length < NONCE_END + TAG_BYTES || sealed[0] !== VERSION) {
        throw new CannotUnseal(`the sealed value of ${name} has an unknown format`);
      }
      const key = keyOf(sealed);
      if (!key) {
        const id = sealed.subarray(1, ID_END).toString("hex");
        throw new CannotUnseal(
          `MASTER_KEY is not the key this database was sealed with: ${name} wants master key ${id}, this one is ${current.id.toString("hex")}`,
        );
      }
      const head = sealed.subarray(0, NONCE_END);
      const decipher = createDecipheriv("aes-256-gcm", key.sealingKey, head.subarray(ID_END));
      decipher.setAAD(associatedData(head, place));
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
      try {
        return Buffer.concat([
          decipher.update(sealed.subarray(NONCE_END, -TAG_BYTES)),
          decipher.final(),
        ]);
      } catch (cause) {
        throw new CannotUnseal(`the sealed value of ${name} was altered or moved`, { cause });
      }
    },

    knows: (sealed) => keyOf(sealed) !== undefined,

    isCurrent: (sealed) => current.id.equals(sealed.subarray(1, ID_END)),

    masterKeyId: current.id,
  };
}

function associatedData(head: Buffer, place: SealedPlace): Buffer {
  return Buffer.concat([
    Buffer.from(`daykey-seal-v1\n${place.table}\n${place.row}\n`),
    head.subarray(0, ID_END),
  ]);
}
