import { createHash, hkdfSync } from "node:crypto";
import { expect, test } from "vitest";
import { generateMasterKey, masterKeyFault, openMasterKey } from "./master-key.ts";

const SALT = Buffer.alloc(16, 7);
const HEX = createHash("sha256").update("any").digest("hex");
const PASSPHRASE = "passphrase:correct horse battery staple";

test("A2: a sample key is refused, and the sentence does not hold it", () => {
  const bytes = (of: (i: number) => number): string =>
    Buffer.from(Array.from({ length: 32 }, (_, i) => of(i) & 0xff)).toString("hex");
  for (const sample of [
    bytes(() => 0),
    bytes(() => 255),
    bytes(() => 0xab),
    bytes((i) => i),
    bytes((i) => 255 - i),
    bytes((i) => i * 17),
    bytes((i) => i % 16),
    "deadbeef".repeat(8),
    "0123456789abcdef".repeat(4),
  ]) {
    expect(masterKeyFault(sample), sample).toBe("is a sample key; make a random one");
  }
});

test("what is neither 64 lowercase hex digits nor a passphrase is refused", () => {
  for (const text of ["", "x", HEX.toUpperCase(), HEX.slice(1), `${HEX}0`, ` ${HEX}`, `${HEX}\n`]) {
    expect(masterKeyFault(text), text).toBe(
      "must be 64 lowercase hex digits, or passphrase:<text>",
    );
  }
});

test("A2: a passphrase that is short or a sample one is refused", () => {
  expect(masterKeyFault("passphrase:sixteen letters!")).toBeUndefined();
  expect(masterKeyFault("passphrase:sixteen letters")).toBe(
    "must have a passphrase of at least 16 characters",
  );
  for (const sample of [
    "change me before production",
    "CHANGEME-CHANGEME-1",
    "this is my passphrase",
    "example-passphrase-0",
    "aaaaaaaaaaaaaaaaaaaa",
    "abcabcabcabcabcabcabc",
  ]) {
    expect(masterKeyFault(`passphrase:${sample}`), sample).toBe(
      "has a sample passphrase; choose another",
    );
  }
});

test("a generated master key is usable, and never the same", () => {
  const keys = Array.from({ length: 50 }, generateMasterKey);
  expect(new Set(keys).size).toBe(50);
  for (const key of keys) expect(masterKeyFault(key)).toBeUndefined();
});

test("each purpose has a key of its own, by HKDF (RFC 5869)", async () => {
  const { id, sealingKey, enumerationKey } = await openMasterKey(HEX, SALT);
  const derive = (purpose: string, length: number): Buffer =>
    Buffer.from(hkdfSync("sha256", Buffer.from(HEX, "hex"), "", `daykey-${purpose}-v1`, length));
  expect([id, sealingKey, enumerationKey]).toEqual([
    derive("master-key-id", 8),
    derive("sealing", 32),
    derive("enumeration", 32),
  ]);
});

test("a passphrase: the same keys from the same salt, others from another; NFC and NFD are one", async () => {
  const [one, same, otherSalt, otherText] = await Promise.all([
    openMasterKey(PASSPHRASE, SALT),
    openMasterKey(PASSPHRASE, SALT),
    openMasterKey(PASSPHRASE, Buffer.alloc(16, 8)),
    openMasterKey(`${PASSPHRASE}r`, SALT),
  ]);
  expect(same).toEqual(one);
  expect(otherSalt.sealingKey).not.toEqual(one.sealingKey);
  expect(otherText.id).not.toEqual(one.id);
  const [composed, decomposed] = await Promise.all(
    (["NFC", "NFD"] as const).map((form) =>
      openMasterKey("passphrase:Z\u00fcrich am See im Winter".normalize(form), SALT),
    ),
  );
  expect(decomposed).toEqual(composed);
});

test("a faulty master key is never opened", async () => {
  await expect(openMasterKey("passphrase:short", SALT)).rejects.toThrow(
    new TypeError("master key: must have a passphrase of at least 16 characters"),
  );
});
