import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Grant } from "../grants/grant.ts";
import { formatUuid } from "./random-ids.ts";
import {
  decodePayload,
  encodePayload,
  formatRefreshToken,
  type RefreshToken,
  splitRefreshToken,
} from "./refresh-token-format.ts";

/** Printed in docs/protocol.md §2; computed apart from this code. */
interface Vector {
  issuer: string;
  key_id: string;
  key: string;
  payload: {
    version: number;
    gid: string;
    seq: number;
    epoch: number;
    issued_at: number;
    absolute_end: number;
    client_id: string;
    cred: string;
    scope: string;
    resources: string;
  };
  payload_hex: string;
  tag_hex: string;
  token: string;
}

const vector = JSON.parse(
  readFileSync(new URL("../../../common/vectors/refresh-token.json", import.meta.url), "utf8"),
) as Vector;

const ISSUER = vector.issuer;
const KEY = macKey(vector.key_id, Buffer.from(vector.key, "hex"));

function macKey(kid: string, secret: Buffer): { kid: string; mac(message: string): Buffer } {
  return { kid, mac: (message) => createHmac("sha256", secret).update(message).digest() };
}

function vectorToken(): RefreshToken {
  const { payload } = vector;
  const grant: Grant = {
    id: payload.gid,
    clientId: payload.client_id,
    epoch: payload.epoch,
    credential: payload.cred,
    scope: payload.scope.split(" "),
    resources: payload.resources.split(" "),
    expiresAt: payload.absolute_end,
  };
  return { grant, seq: payload.seq, issuedAt: payload.issued_at };
}

/** What the server does with a presented text: taken apart, its tag checked, read. */
function open(text: string, issuer = ISSUER, key = KEY): RefreshToken | undefined {
  const parts = splitRefreshToken(text, issuer);
  if (!parts || parts.keyId !== key.kid || !key.mac(parts.sealed).equals(parts.tag))
    return undefined;
  return decodePayload(parts.payload);
}

test("the vector of docs/protocol.md: written and read", () => {
  expect(encodePayload(vectorToken()).toString("hex")).toBe(vector.payload_hex);
  expect(formatRefreshToken(vectorToken(), KEY, ISSUER)).toBe(vector.token);
  expect(open(vector.token)).toEqual(vectorToken());
  const parts = splitRefreshToken(vector.token, ISSUER);
  expect(parts?.keyId).toBe("aaaaaaaa");
  expect(parts?.tag.toString("hex")).toBe(vector.tag_hex);
  expect(vector.payload.version).toBe(1);
});

const word = fc.stringMatching(/^[!#-[\]-~]{1,40}$/);
const whole = (max: number): fc.Arbitrary<number> => fc.nat({ max });
const anyToken: fc.Arbitrary<RefreshToken> = fc.record({
  grant: fc.record({
    id: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((b) => formatUuid(Buffer.from(b))),
    clientId: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$/),
    epoch: whole(2 ** 31 - 1),
    credential: fc.stringMatching(/^[a-z0-9]{8}$/),
    scope: fc.array(word, { maxLength: 20 }),
    resources: fc.array(fc.webUrl(), { minLength: 1, maxLength: 5 }),
    expiresAt: whole(2 ** 48 - 1),
  }),
  seq: whole(2 ** 31 - 1),
  issuedAt: whole(2 ** 48 - 1),
});

test("what is written is read again, whatever it says", () => {
  fc.assert(
    fc.property(anyToken, (token) => {
      expect(open(formatRefreshToken(token, KEY, ISSUER))).toEqual(token);
    }),
  );
});

describe("refused", () => {
  const [prefix = "", keyId = "", payload = "", tag = ""] = vector.token.split(".");

  test("every single bit of payload and tag flipped", () => {
    for (const [bytes, rebuild] of [
      [Buffer.from(payload, "base64url"), (part: string) => `${prefix}.${keyId}.${part}.${tag}`],
      [Buffer.from(tag, "base64url"), (part: string) => `${prefix}.${keyId}.${payload}.${part}`],
    ] as const) {
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        expect(open(rebuild(flipped.toString("base64url"))), `bit ${bit}`).toBeUndefined();
      }
    }
  });

  test("every character replaced by another of the alphabet", () => {
    for (let at = 0; at < vector.token.length; at++) {
      for (const char of ["A", "a", "9", "-", "_", "."]) {
        if (vector.token[at] === char) continue;
        const altered = vector.token.slice(0, at) + char + vector.token.slice(at + 1);
        expect(open(altered), `${char} at ${at}`).toBeUndefined();
      }
    }
  });

  test("every truncation, from either end, and anything added", () => {
    for (let length = 0; length < vector.token.length; length++) {
      expect(open(vector.token.slice(0, length))).toBeUndefined();
      expect(open(vector.token.slice(vector.token.length - length))).toBeUndefined();
    }
    for (const added of [" ", "\n", "=", ".", "A", "\0", ".AAAA"]) {
      expect(open(vector.token + added)).toBeUndefined();
      expect(open(added + vector.token)).toBeUndefined();
    }
  });

  test("base64url that is padded, of the other alphabet or not canonical", () => {
    const spellings = [
      `${prefix}.${keyId}.${payload}=.${tag}`,
      `${prefix}.${keyId}.${payload}.${tag}=`,
      `${prefix}.${keyId}.${payload}.${nextCharacter(tag)}`,
      `${prefix}.${keyId}.${payload.slice(0, 4)}\n${payload.slice(4)}.${tag}`,
    ];
    for (const text of spellings) expect(splitRefreshToken(text, ISSUER), text).toBeUndefined();
    // Node reads both as the same bytes: only the spelling tells them apart.
    expect(Buffer.from(nextCharacter(tag), "base64url")).toEqual(Buffer.from(tag, "base64url"));
  });

  test("a payload whose last character has unused bits set", () => {
    for (const length of [1, 2, 4, 5]) {
      const text = Buffer.alloc(length).toString("base64url");
      expect(splitRefreshToken(`dkr1.aaaaaaaa.${text}.${tag}`, ISSUER)).toBeDefined();
      const other = `dkr1.aaaaaaaa.${nextCharacter(text)}.${tag}`;
      expect(splitRefreshToken(other, ISSUER)).toBeUndefined();
    }
  });

  test("another issuer's, another key's, another key id", () => {
    expect(open(vector.token, "https://auth.example.org")).toBeUndefined();
    expect(open(vector.token, `${ISSUER}/`)).toBeUndefined();
    expect(open(vector.token, ISSUER, macKey("aaaaaaaa", Buffer.alloc(32, 1)))).toBeUndefined();
    const moved = vector.token.replace(".aaaaaaaa.", ".aaaaaaab.");
    const sameSecret = macKey("aaaaaaab", Buffer.from(vector.key, "hex"));
    expect(open(moved, ISSUER, sameSecret)).toBeUndefined();
  });

  test("a payload of another version, with a byte to spare or one too few", () => {
    const bytes = encodePayload(vectorToken());
    expect(decodePayload(bytes)).toEqual(vectorToken());
    for (const version of [0, 2, 255]) {
      const other = Buffer.from(bytes);
      other.writeUInt8(version, 0);
      expect(decodePayload(other)).toBeUndefined();
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(decodePayload(bytes.subarray(0, length)), `${length} bytes`).toBeUndefined();
    }
    for (const spare of [[0], [0, 0], [0, 1, 65]]) {
      expect(decodePayload(Buffer.concat([bytes, Buffer.from(spare)]))).toBeUndefined();
    }
  });

  test("whatever else is presented, without an exception", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(open(text)).toBeUndefined();
      }),
    );
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodePayload(Buffer.from(bytes))));
    for (const text of [
      "dkr1.aaaaaaaa..",
      "dkr1....",
      "dkr1.aaaaaaaa.AA.",
      `dkr1.${"a".repeat(1e6)}`,
    ]) {
      expect(open(text)).toBeUndefined();
    }
  });
});

/** The same text with its last character's lowest bit set: the same bytes to a lenient reader. */
function nextCharacter(text: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1) ?? "") + 1];
}
