/** Day keys and the verifiers that are kept of them (docs/protocol.md §1). */
import { createHmac, hash } from "node:crypto";
import { formatDay } from "@daykey/common/clock";
import { dayKeyMessage, type HashPrimitives } from "@daykey/common/secret-hash";

/** The row of a secret: everything the server keeps of it. */
export interface StoredSecret {
  kid: string;
  kind: "generated" | "chosen" | "verifiers" | "imported";
  /** 32 lowercase hex. */
  salt: string;
  /** Days since 1970-01-01 of the first verifier. */
  firstDay: number;
  /** 32 bytes a day. */
  verifiers: Buffer;
  /** The same of the seed-compatible hash, of a generated secret where the server makes them. */
  seedVerifiers?: Buffer;
  /** Epoch seconds. */
  expiresAt: number;
}

export const hashPrimitives: HashPrimitives = {
  sha256: (data) => hash("sha256", data, "buffer"),
  hmacSha256: (key, message) => createHmac("sha256", key).update(message).digest(),
};

/** The day key of a root, synchronously: two hashes, as for Basic and post. */
export function dayKeyOf(root: string, salt: string, day: number): Buffer {
  return createHmac("sha256", root)
    .update(dayKeyMessage(formatDay(day), salt))
    .digest();
}

export function verifierOf(dayKey: Uint8Array): Buffer {
  return hash("sha256", dayKey, "buffer");
}
