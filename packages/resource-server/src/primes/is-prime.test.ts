import {
  checkPrimeSync,
  createDiffieHellmanGroup,
  generatePrimeSync,
  randomBytes,
} from "node:crypto";
import { isStrongProbablePrime, randomBase } from "@daykey/common/miller-rabin";
import { isCompositeBy } from "@daykey/common/prime-certificate";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { isBailliePswProbablePrime, isPrime } from "./is-prime.ts";
import { isStrongLucasProbablePrime } from "./lucas.ts";

const FIRST_PRIMES = [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n, 41n];
const LIMIT = 1_000_000;

/** compositeBelow[n] is 1 for every composite n below 10^6, and for 0 and 1. */
const compositeBelow = new Uint8Array(LIMIT).fill(1, 0, 2);
for (let n = 2; n * n < LIMIT; n++) {
  for (let multiple = n * n; multiple < LIMIT; multiple += n) compositeBelow[multiple] = 1;
}

/** The verdict, once its witness has been verified. */
function check(n: bigint): boolean {
  const result = isPrime(n, randomBytes);
  const needsWitness = n > 1n && !result.prime;
  const isProven = result.witness ? isCompositeBy(n, result.witness) : !needsWitness;
  if (!isProven) throw new Error(`no true witness for ${n}`);
  return result.prime;
}

function prime(bits: number): bigint {
  return generatePrimeSync(bits, { bigint: true });
}

describe("all n < 10^6 against a sieve", () => {
  test("isPrime, and its witness for each composite", () => {
    const wrong = [];
    for (let n = 0; n < LIMIT; n++) if (check(BigInt(n)) === !!compositeBelow[n]) wrong.push(n);
    expect(wrong).toEqual([]);
  });

  test("Baillie–PSW without trial division", () => {
    const wrong = [];
    for (let n = 5; n < LIMIT; n += 2) {
      if (isBailliePswProbablePrime(BigInt(n)) === !!compositeBelow[n]) wrong.push(n);
    }
    expect(wrong).toEqual([]);
  });

  test("46 composites pass the strong test to base 2 (OEIS A001262), and every odd prime", () => {
    const passing = passingBelow((n) => isStrongProbablePrime(n, 2n));
    expect(passing.primes).toBe(78_496);
    expect(passing.composites.slice(0, 4)).toEqual([2047, 3277, 4033, 4681]);
    expect(passing.composites).toHaveLength(46);
  });

  test("58 composites pass the strong Lucas test (OEIS A217255), and every odd prime", () => {
    const passing = passingBelow(isStrongLucasProbablePrime);
    expect(passing.primes).toBe(78_496);
    expect(passing.composites.slice(0, 4)).toEqual([5459, 5777, 10_877, 16_109]);
    expect(passing.composites).toHaveLength(58);
  });

  function passingBelow(passes: (n: bigint) => boolean): { primes: number; composites: number[] } {
    let primes = 0;
    const composites: number[] = [];
    for (let n = 5; n < LIMIT; n += 2) {
      if (!passes(BigInt(n))) continue;
      if (compositeBelow[n]) composites.push(n);
      else primes += 1;
    }
    return { primes, composites };
  }
});

describe("composites that fool weaker tests", () => {
  test.each([
    [1, 2047n],
    [2, 1373653n],
    [3, 25326001n],
    [4, 3215031751n],
    [5, 2152302898747n],
    [6, 3474749660383n],
    [8, 341550071728321n],
    [11, 3825123056546413051n],
    [12, 318665857834031151167461n],
    [13, 3317044064679887385961981n],
  ])("the least strong pseudoprime to the first %i bases, %i (OEIS A014233)", (bases, n) => {
    expect(FIRST_PRIMES.slice(0, bases).every((base) => isStrongProbablePrime(n, base))).toBe(true);
    expect(isBailliePswProbablePrime(n)).toBe(false);
    expect(check(n)).toBe(false);
  });

  test("Arnault's Carmichael number of 397 digits, a strong pseudoprime to every base below 307", () => {
    const p =
      29674495668685510550154174642905332730771991799853043350995075531276838753171770199594238596428121188033664754218345562493168782883n;
    const n = p * (313n * (p - 1n) + 1n) * (353n * (p - 1n) + 1n);
    for (let base = 2n; base < 307n; base++) expect(isStrongProbablePrime(n, base)).toBe(true);
    expect(isStrongLucasProbablePrime(n)).toBe(false);
    expect(check(n)).toBe(false);
  });

  test("the least Carmichael numbers of 3 to 16 prime factors (OEIS A006931)", () => {
    const numbers = [
      561n,
      41041n,
      825265n,
      321197185n,
      5394826801n,
      232250619601n,
      9746347772161n,
      1436697831295441n,
      60977817398996785n,
      7156857700403137441n,
      1791562810662585767521n,
      87674969936234821377601n,
      6553130926752006031481761n,
      1590231231043178376951698401n,
    ];
    expect(numbers.filter((n) => check(n) || isBailliePswProbablePrime(n))).toEqual([]);
  });

  test("Carmichael numbers without a small factor, (6k+1)(12k+1)(18k+1) (Chernick 1939)", () => {
    const numbers: bigint[] = [];
    for (let k = 1n << 40n; numbers.length < 3; k++) {
      const factors = [6n * k + 1n, 12n * k + 1n, 18n * k + 1n] as const;
      if (factors.every((p) => checkPrimeSync(p)))
        numbers.push(factors[0] * factors[1] * factors[2]);
    }
    expect(numbers.filter(check)).toEqual([]);
  });

  test.each([11, 23, 67, 101, 257, 1061, 4093])(
    "2^%i − 1 is composite, though a strong pseudoprime to base 2",
    (exponent) => {
      const n = (1n << BigInt(exponent)) - 1n;
      expect(isStrongProbablePrime(n, 2n)).toBe(true);
      expect(isStrongLucasProbablePrime(n)).toBe(false);
      expect(check(n)).toBe(false);
    },
  );

  test("squares of primes: the Wieferich primes' pass base 2", () => {
    for (const p of [1093n, 3511n]) expect(isStrongProbablePrime(p * p, 2n)).toBe(true);
    for (const p of [1093n, 3511n, prime(64), prime(512), (1n << 521n) - 1n]) {
      expect(isStrongLucasProbablePrime(p * p)).toBe(false);
      expect(check(p * p)).toBe(false);
    }
  });

  test("semiprimes of two random primes of one length", () => {
    for (const bits of [16, 32, 33, 64, 128, 512, 1024]) {
      for (let i = 0; i < 5; i++) expect(check(prime(bits) * prime(bits))).toBe(false);
    }
  });
});

describe("primes", () => {
  test.each([2, 3, 5, 7, 13, 17, 19, 31, 61, 89, 107, 127, 521, 607, 1279, 2203, 2281, 3217])(
    "the Mersenne prime 2^%i − 1",
    (exponent) => {
      expect(check((1n << BigInt(exponent)) - 1n)).toBe(true);
    },
  );

  test("the safe prime of 4,096 bits of RFC 3526 §5", () => {
    const n = BigInt(`0x${createDiffieHellmanGroup("modp16").getPrime("hex")}`);
    expect(isPrime(n, randomBytes)).toEqual({
      prime: true,
      certainty: "probable",
      method: "baillie-psw+miller-rabin",
      errorBound: 2 ** -16,
    });
  });

  test("OpenSSL's verdict on random odd integers, up to 256 bits", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 1n << 256n }), (n) => {
        expect(check(n | 1n)).toBe(checkPrimeSync(n | 1n));
      }),
      { numRuns: 500 },
    );
    for (const bits of [20, 40, 63, 64, 65, 100, 200]) {
      for (let i = 0; i < 10; i++) expect(check(prime(bits))).toBe(true);
    }
  });
});

describe("certainty and method", () => {
  test.each([
    [-7n, { prime: false, certainty: "proven", method: "definition" }],
    [0n, { prime: false, certainty: "proven", method: "definition" }],
    [1n, { prime: false, certainty: "proven", method: "definition" }],
    [2n, { prime: true, certainty: "proven", method: "trial-division" }],
    [997n, { prime: true, certainty: "proven", method: "trial-division" }],
    [
      997n * 997n,
      { prime: false, certainty: "proven", method: "trial-division", witness: { factor: 997n } },
    ],
    [999_983n, { prime: true, certainty: "proven", method: "trial-division" }],
    [1_000_003n, { prime: true, certainty: "proven", method: "baillie-psw" }],
    [
      1009n * 1009n,
      { prime: false, certainty: "proven", method: "baillie-psw", witness: { base: 2n } },
    ],
    [
      3511n * 3511n,
      { prime: false, certainty: "proven", method: "baillie-psw", witness: { base: 3n } },
    ],
    [(1n << 64n) - 59n, { prime: true, certainty: "proven", method: "baillie-psw" }],
    [
      (1n << 64n) + 13n,
      {
        prime: true,
        certainty: "probable",
        method: "baillie-psw+miller-rabin",
        errorBound: 2 ** -64,
      },
    ],
    [
      172983479832623897492387592384682937659382477n,
      { prime: false, certainty: "proven", method: "baillie-psw", witness: { base: 2n } },
    ],
  ])("%i", (n, expected) => expect(isPrime(n, randomBytes)).toEqual(expected));

  test.each([
    [521, 32],
    [1279, 16],
    [3217, 8],
  ])("2^%i − 1 gets %i random bases, and the error bound says so", (exponent, rounds) => {
    const asked: number[] = [];
    const { errorBound } = isPrime((1n << BigInt(exponent)) - 1n, (count) => {
      asked.push(count);
      return randomBytes(count);
    });
    expect(asked).toEqual(Array(rounds).fill(Math.ceil(exponent / 8) + 8));
    expect(errorBound).toBe(4 ** -rounds);
  });

  test("a random base lies in 2 … n − 2, and all of them occur", () => {
    const seen = new Set<bigint>();
    for (let i = 0; i < 500; i++) seen.add(randomBase(11n, randomBytes));
    expect([...seen].toSorted((a, b) => Number(a - b))).toEqual([2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n]);
  });
});
