import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { MasterKey } from "./master-key.ts";
import { CannotUnseal, createSealer } from "./sealing.ts";

const PLACE = { table: "keys", row: "k1" };
const SECRET = Buffer.from("the private key");

function masterKey(): MasterKey {
  const [sealingKey, enumerationKey, dpopNonceKey] = [32, 32, 32].map((size) => randomBytes(size));
  return { id: randomBytes(8), sealingKey, enumerationKey, dpopNonceKey } as MasterKey;
}

/** The one sentence that opening fails with, or what was opened. */
function faultOf(open: () => Buffer): unknown {
  try {
    return open();
  } catch (error) {
    return error instanceof CannotUnseal ? error.message : error;
  }
}

test("what is sealed opens at its place", () => {
  const sealer = createSealer(masterKey());
  fc.assert(
    fc.property(fc.uint8Array(), fc.string(), fc.string(), (bytes, table, row) => {
      const plaintext = Buffer.from(bytes);
      const sealed = sealer.seal(plaintext, { table, row });
      expect(sealer.open(sealed, { table, row })).toEqual(plaintext);
      expect(sealed.length).toBe(plaintext.length + 37);
    }),
  );
});

test("nothing of a secret shows, and sealing twice never gives the same bytes", () => {
  const sealer = createSealer(masterKey());
  expect(sealer.seal(SECRET, PLACE).includes(SECRET.subarray(0, 5))).toBe(false);
  expect(sealer.seal(SECRET, PLACE)).not.toEqual(sealer.seal(SECRET, PLACE));
});

test("another master key: one clear sentence that names both keys' ids", () => {
  const [one, two] = [masterKey(), masterKey()];
  const sealed = createSealer(one).seal(SECRET, PLACE);
  expect(faultOf(() => createSealer(two).open(sealed, PLACE))).toBe(
    `MASTER_KEY is not the key this database was sealed with: keys k1 wants master key ${one.id.toString("hex")}, this one is ${two.id.toString("hex")}`,
  );
});

test("every byte altered, and every byte cut off, is noticed", () => {
  const sealer = createSealer(masterKey());
  const sealed = sealer.seal(SECRET, PLACE);
  for (let at = 0; at < sealed.length; at++) {
    const altered = Buffer.from(sealed);
    altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
    for (const spoilt of [altered, sealed.subarray(0, at)]) {
      expect(
        faultOf(() => sealer.open(spoilt, PLACE)),
        `byte ${at}`,
      ).toEqual(expect.any(String));
    }
  }
  const altered = Buffer.from(sealed);
  altered.writeUInt8(altered.readUInt8(30) ^ 1, 30);
  expect(faultOf(() => sealer.open(altered, PLACE))).toBe(
    "the sealed value of keys k1 was altered or moved",
  );
  expect(faultOf(() => sealer.open(sealed.subarray(0, 36), PLACE))).toBe(
    "the sealed value of keys k1 has an unknown format",
  );
});

test("moved to another row or table it does not open", () => {
  const sealer = createSealer(masterKey());
  const sealed = sealer.seal(SECRET, PLACE);
  for (const place of [
    { table: "keys", row: "k2" },
    { table: "other", row: "k1" },
    { table: "keys\nk1", row: "" },
    { table: "", row: "keys\nk1" },
  ]) {
    expect(faultOf(() => sealer.open(sealed, place))).toBe(
      `the sealed value of ${place.table} ${place.row} was altered or moved`,
    );
  }
});

test("the previous master key opens, but what it sealed is not current", () => {
  const [previous, current] = [masterKey(), masterKey()];
  const old = createSealer(previous).seal(SECRET, PLACE);
  const sealer = createSealer(current, previous);
  expect(sealer.open(old, PLACE)).toEqual(SECRET);
  expect(sealer.isCurrent(old)).toBe(false);
  const fresh = sealer.seal(SECRET, PLACE);
  expect(sealer.isCurrent(fresh)).toBe(true);
  expect(createSealer(current).open(fresh, PLACE)).toEqual(SECRET);
});
