import fc from "fast-check";
import { expect, test } from "vitest";

import { bitLength, isSquare, jacobi, modPow, splitTwos } from "./integers.ts";

const natural = fc.bigInt({ min: 0n, max: 1n << 512n });
const positive = fc.bigInt({ min: 1n, max: 1n << 512n });
const odd = positive.map((n) => n | 1n);

test("bitLength is the length of the binary digits, and 0 for 0", () => {
  expect([0n, 1n, -1n, 15n, 16n, 255n, -256n].map(bitLength)).toEqual([0, 1, 1, 4, 5, 8, 9]);
  fc.assert(fc.property(positive, (n) => bitLength(n) === n.toString(2).length));
});

test("splitTwos takes every factor of two", () => {
  fc.assert(
    fc.property(odd, fc.nat(200), (n, twos) => {
      expect(splitTwos(n << BigInt(twos))).toEqual({ odd: n, twos });
    }),
  );
});

test("modPow is the power modulo", () => {
  fc.assert(
    fc.property(natural, fc.bigInt({ min: 0n, max: 300n }), odd, (base, exponent, n) => {
      const modulus = n + 2n;
      expect(modPow(base, exponent, modulus)).toBe(base ** exponent % modulus);
    }),
  );
});

test("modPow adds exponents, of any length", () => {
  fc.assert(
    fc.property(natural, positive, positive, odd, (base, a, b, n) => {
      const modulus = n + 2n;
      const product = modPow(base, a, modulus) * modPow(base, b, modulus);
      expect(modPow(base, a + b, modulus)).toBe(product % modulus);
    }),
  );
});

test("isSquare tells squares from their neighbours", () => {
  for (let n = 1; n < 5000; n++) expect(isSquare(BigInt(n))).toBe(Number.isInteger(Math.sqrt(n)));
  fc.assert(
    fc.property(positive, (root) => {
      expect(isSquare(root * root)).toBe(true);
      expect(isSquare(root * root + 1n)).toBe(false);
      expect(isSquare(root * root + 2n * root)).toBe(false);
    }),
  );
});

test("jacobi is Euler's criterion for a prime, and multiplicative below", () => {
  for (const p of [3n, 5n, 7n, 11n, 13n, 10_007n, (1n << 61n) - 1n]) {
    for (let a = -60n; a <= 60n; a++) {
      const power = modPow(((a % p) + p) % p, (p - 1n) / 2n, p);
      expect(jacobi(a, p)).toBe(power === p - 1n ? -1 : Number(power));
    }
  }
  fc.assert(
    fc.property(natural, odd, odd, (a, m, n) => {
      expect(jacobi(a, m * n)).toBe(jacobi(a, m) * jacobi(a, n) + 0);
    }),
  );
});
