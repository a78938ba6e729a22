/** Public keys that protect nothing, and that keys as libraries make them are none of these. */
import { checkPrimeSync, generateKeyPairSync, generatePrimeSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { modPow } from "./integers.ts";
import { weakness } from "./weak-keys.ts";

const MISWRITTEN = "The key's numbers are not written as RFC 7518 §6 wants, or are no key.";
const SIZE = "An RSA key has 2048 to 4096 bits and the exponent 65537.";
const SMALL_FACTOR = "The RSA modulus has a small factor.";
const CLOSE = "The RSA modulus is factored at once: its primes are too close.";
const ROCA = "The RSA key was made by a generator known as broken (CVE-2017-15361).";
const SMALL_ORDER = "The Ed25519 key is a point of small order.";

/** From the test data of the fingerprint's authors. */
const ROCA_MODULI = [
  // pubkey03, 2050 bits
  "1a9c5a687db8fb2a30f82dff8dda154c291ef27b04b25e185b8ab20c4c6a5f604859fe59ede54a0af7c0" +
    "e7288800ad7193bb731a5bf1e1170d7a1c66930d41ea3eb21dedf7b8af5d42a91c34f72045b96efd57cb" +
    "182301ddcc26967e5508e9ab889986d57e837dfe70f99fc37c498f43c17c3b9b064cf704443d7a033e03" +
    "a821697aabf30fb29ee7d33b3767965a89058e3b39754bd3a1c007d28a23b0cfa79f9d711ac6e4c4b4f7" +
    "7b0634b1ecd68591af03c7d53b62a5f2d91163d4ef4f8f26831ae461ed85ec5f788c5123ffc12c87420f" +
    "dcfea1d1b4a52c3521824fb3998348739b62a986d8e76b2289bc2eb8bc06d138147851b83a07183d2105" +
    "59f906321",
  // mod09, 4096 bits
  "c39a928060db513091b604eadad719ed94e246de8fe15fb76efab5cfabbc3fc5486fe2ef2a5a5a8472f0" +
    "c5be089edec071fb284df4467fa1fa6c8f0b013d3173fe636744666289bf67b5c998c87b59015d94bb9c" +
    "20d30a70cfe275e42fd3c6f44d4c5252f9c6b6803f92afd928153bdb90ef08ede934c076f33543f9a1c3" +
    "62130929b9a1324c5ebee6831c251c48a7dee24d75ac538ce9a58d7ff09c12a5d772b6c33f4265a4e483" +
    "0bd73ad221d24d4d3f092e24279c15fc1d10ca69561f4f071313c86b11ab36a5dd28df392f581834eecf" +
    "dc9e183a466198e33cf01d273bd41d4b7e288cc66f24eba04676bd2090f6f73830336a317bc2d423b558" +
    "b9d8f632e12af7b0e7fc9bdb69282e81fdf41a68cf4e85f01fc343dfe52a3ad01f67459d380165159e12" +
    "09ef1ce4ecd26648e061faf0896551f7f1f92d6b6a19af0ab7f1f092d7e168bcec0ee478b8618489a896" +
    "7a71e5e0a5c197662d8e9756f090a177109d4a34ae20a18c5629efea5ca66623960fc325f779cdae891a" +
    "7ec051f00e837b8f2fb9fd19f6a35832ca0e5ce8375972c42a308f7d5ca0434022c131874087e826ed73" +
    "7994e46fbe44f5f1e908934f6033e6851ebd05447dddbaa51c0671849cafd3a503cdc150101914edf33b" +
    "140c168c3dbea4791e74ea619ab1b31c90691de1d425b746b222a2b26ed54222cbcaf27a054f9f66f77b" +
    "e6466198c33e37dd",
];

function octets(n: bigint): string {
  const hex = n.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex").toString("base64url");
}

const rsa = (n: bigint, e = 65_537n): object => ({ kty: "RSA", n: octets(n), e: octets(e) });
const numberOf = (text: string | undefined): bigint =>
  BigInt(`0x${Buffer.from(text ?? "", "base64url").toString("hex")}`);
const prime = (bits: number): bigint => generatePrimeSync(bits, { bigint: true });

function nextPrime(n: bigint): bigint {
  n += 2n;
  while (!checkPrimeSync(n)) n += 2n;
  return n;
}

function modulus(): string | undefined {
  return generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ format: "jwk" }).n;
}
const goodText = modulus();
const good = numberOf(goodText);
const otherGood = numberOf(modulus());

describe("RSA (RFC 7518 §3.3, NIST SP 800-89 §5.3.3)", () => {
  test("keys of 2048 and 4096 bits without a flaw are taken", () => {
    expect(weakness(rsa(good))).toBeUndefined();
    expect(
      weakness({ kty: "RSA", n: goodText, e: "AQAB", alg: "RS256" } as object),
    ).toBeUndefined();
    expect(weakness(rsa(good * otherGood))).toBeUndefined();
  });

  test("exponents other than 65537, of which 1 makes every message its own signature", () => {
    for (const e of [0n, 1n, 2n, 3n, 17n, 65_536n, 65_539n, 2n ** 64n + 1n, 2n ** 2000n + 1n]) {
      expect(weakness(rsa(good, e)), String(e)).toBe(SIZE);
    }
  });

  test("a modulus too short or too long", () => {
    const sizes = [0n, 1n, 15n, good >> 1n, 2n ** 2047n - 1n, 2n ** 4096n + 1n, 2n ** 6000n + 1n];
    for (const n of sizes) expect(weakness(rsa(n))).toBe(SIZE);
  });

  test("a modulus that is even, or has a factor up to 751", () => {
    const q = prime(2047);
    for (const factor of [2n, 3n, 5n, 7n, 127n, 743n, 751n]) {
      const n = factor === 2n ? q * 2n : q * factor;
      expect(weakness(rsa(n)), String(factor)).toBe(SMALL_FACTOR);
    }
    expect(weakness(rsa(good + 1n))).toBe(SMALL_FACTOR);
    expect(weakness(rsa(2n ** 2047n))).toBe(SMALL_FACTOR);
  });

  test("a square, and a prime times the next one (CVE-2022-26320)", () => {
    const p = prime(1024) | (3n << 1022n);
    const first = nextPrime(p);
    const second = nextPrime(first);
    for (const [a, b] of [
      [first, first],
      [first, second],
      [first, nextPrime(second)],
    ] as const) {
      expect(weakness(rsa(a * b))).toBe(CLOSE);
    }
  });

  test("the moduli of a broken generator (CVE-2017-15361), published and made here", () => {
    for (const hex of ROCA_MODULI) expect(weakness(rsa(BigInt(`0x${hex}`)))).toBe(ROCA);
    // A number that is 65537^c modulo the small primes has the mark, whatever its factors.
    for (const c of [0n, 1n, 77n, 10n ** 15n]) expect(weakness(rsa(marked(c)))).toBe(ROCA);
  });

  test("a modulus that has the mark modulo each small prime, but of two different c, is taken", () => {
    // 65537 has the order 2 modulo 11, and an even order modulo 13.
    const rest = MARKED_PRODUCT / 11n;
    let n = marked(2n);
    while (n % 11n !== 10n || hasSmallFactor(n)) n += rest;
    expect(weakness(rsa(n))).toBeUndefined();
  });

  test("numbers that are missing, of another type, misspelled, or huge", () => {
    const bad = ["", undefined, null, 1, {}, [], `${goodText}=`, `+${goodText}`, "A".repeat(9999)];
    for (const n of bad) expect(weakness({ kty: "RSA", n, e: "AQAB" })).toBe(MISWRITTEN);
    for (const e of bad) expect(weakness({ kty: "RSA", n: goodText, e })).toBe(MISWRITTEN);
  });
});

const PRIMES = Array.from({ length: 752 }, (_, n) => BigInt(n)).filter((n) => checkPrimeSync(n));
const MARKED_PRODUCT = PRIMES.filter((p) => p <= 167n).reduce((m, p) => m * p, 1n);
const hasSmallFactor = (n: bigint): boolean => PRIMES.some((p) => n % p === 0n);

/** A modulus of 2048 bits, without a factor up to 751. */
function marked(c: bigint): bigint {
  let n = (2n ** 2047n / MARKED_PRODUCT + 1n) * MARKED_PRODUCT;
  n += modPow(65_537n, c, MARKED_PRODUCT);
  while (hasSmallFactor(n)) n += MARKED_PRODUCT;
  return n;
}

const P256 = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const fixed = (n: bigint, order: "big" | "little" = "big"): string => {
  const bytes = Buffer.from(n.toString(16).padStart(64, "0"), "hex");
  return Buffer.from(order === "big" ? bytes : bytes.toReversed()).toString("base64url");
};

describe("P-256 (NIST SP 800-56A §5.6.2.3.3)", () => {
  const ec = (x: unknown, y: unknown): object => ({ kty: "EC", crv: "P-256", x, y });

  test("keys as node makes them are taken", () => {
    for (let i = 0; i < 50; i++) {
      const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      expect(weakness(publicKey.export({ format: "jwk" }))).toBeUndefined();
    }
  });

  test("points off the curve, the point at infinity, coordinates beyond the field or misspelled", () => {
    const b = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
    const y = modPow(b, (P256 + 1n) / 4n, P256);
    expect(weakness(ec(fixed(0n), fixed(y)))).toBeUndefined();
    for (const [one, two] of [
      [fixed(P256), fixed(y)],
      [fixed(1n), fixed(y)],
      [fixed(0n), fixed(0n)],
      [fixed(y), fixed(0n)],
      [fixed(2n ** 256n - 1n), fixed(2n ** 256n - 1n)],
      ["", ""],
      ["AA", fixed(y)],
      [`${fixed(0n)}=`, fixed(y)],
      [`AA${fixed(0n)}`, fixed(y)],
      [undefined, fixed(y)],
      [fixed(0n), undefined],
      [0, 0],
    ]) {
      expect(weakness(ec(one, two)), `${String(one)} ${String(two)}`).toBe(MISWRITTEN);
    }
  });
});

describe("Ed25519 (RFC 8032 §5.1.3)", () => {
  const okp = (x: unknown): object => ({ kty: "OKP", crv: "Ed25519", x });
  const hex = (text: string): string => Buffer.from(text, "hex").toString("base64url");

  test("keys as node makes them are taken", () => {
    for (let i = 0; i < 50; i++) {
      const { publicKey } = generateKeyPairSync("ed25519");
      expect(weakness(publicKey.export({ format: "jwk" }))).toBeUndefined();
    }
  });

  test("the eight points of small order, with either sign", () => {
    for (const text of [
      "0100000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000080",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0000000000000000000000000000000000000000000000000000000000000080",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ]) {
      expect(weakness(okp(hex(text))), text).toBe(SMALL_ORDER);
    }
  });

  test("y beyond the field, no point of the curve, and misspelled", () => {
    const p = 2n ** 255n - 19n;
    const beyond = Array.from({ length: 19 }, (_, i) => fixed(p + BigInt(i), "little"));
    const bad = [
      ...beyond,
      fixed(2n, "little"),
      "",
      "AA",
      "A".repeat(42),
      "A".repeat(44),
      `${fixed(4n, "little")}=`,
      undefined,
      null,
      1,
    ];
    for (const x of bad) expect(weakness(okp(x)), String(x)).toBe(MISWRITTEN);
  });
});

test("other kinds of key are refused", () => {
  for (const jwk of [
    {},
    { kty: "oct", k: "AA" },
    { kty: "EC", crv: "P-384", x: "AA", y: "AA" },
    { kty: "OKP", crv: "X25519", x: "AA" },
    { kty: "OKP", crv: "Ed448", x: "AA" },
    { kty: "rsa", n: goodText, e: "AQAB" },
    { kty: ["RSA"], n: goodText, e: "AQAB" },
    { kty: "__proto__" },
  ]) {
    expect(weakness(jwk)).toBe("The key is of P-256, Ed25519 or RSA.");
  }
});
