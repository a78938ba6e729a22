import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { formatApiKey, idOfApiKey, isKeyId, keyIdOf } from "./api-key.ts";

const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest();
const RANDOM = Uint8Array.from({ length: 32 }, (_, i) => i);

test("an id begins with the second it was made in", () => {
  const id = keyIdOf(1_795_262_400.9, Uint8Array.of(0, 10, 35, 36, 255));
  expect(id).toBe("0toupc00az03");
  expect(isKeyId(id)).toBe(true);
  expect(keyIdOf(1_795_262_401, Uint8Array.of(0, 10, 35, 36, 255)) > id).toBe(true);
});

test("a key is its id, 256 random bits and a checksum over both", async () => {
  const key = await formatApiKey({ sha256 }, "0toupc00az03", RANDOM);
  expect(key).toBe("dkk_0toupc00az03_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf_2lpM24");
  expect(idOfApiKey(key)).toBe("0toupc00az03");
});

test("wrong use by our own code is a TypeError", async () => {
  expect(() => keyIdOf(0, new Uint8Array(4))).toThrow(TypeError);
  await expect(formatApiKey({ sha256 }, "short", RANDOM)).rejects.toThrow(TypeError);
  await expect(formatApiKey({ sha256 }, "0toupc00az03", new Uint8Array(31))).rejects.toThrow(
    TypeError,
  );
});

test("what has not exactly the shape of a key has no id", async () => {
  const key = await formatApiKey({ sha256 }, "0toupc00az03", RANDOM);
  for (const text of [
    "",
    "dkk_",
    key.slice(0, -1),
    `${key}0`,
    `${key}\n`,
    ` ${key}`,
    key.toUpperCase(),
    key.replace("dkk_", "dks_"),
    key.replaceAll("_", "-"),
    key.replace("0toupc00az03", "0toupc00az0"),
    key.replace("0toupc00az03", "0toupc00azé3"),
  ]) {
    expect(idOfApiKey(text), text).toBeUndefined();
  }
});
