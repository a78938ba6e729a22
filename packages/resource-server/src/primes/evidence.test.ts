import { spawnSync } from "node:child_process";
import { checkPrimeSync, generatePrimeSync, randomBytes } from "node:crypto";
import { isCompositeBy, isPrimeBy, type PrimeCertificate } from "@daykey/common/prime-certificate";
import { stringifyJson } from "@daykey/common/json-numbers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { withEvidence } from "./evidence.ts";
import { createBudget, primeFactors } from "./factor.ts";
import { isPrime, type PrimeResult } from "./is-prime.ts";

/** What is found for n, without the number. */
function evidence(n: bigint): PrimeResult {
  const { number, ...result } = withEvidence({ number: n, ...isPrime(n, randomBytes) });
  expect(number).toBe(n);
  return result;
}

const prime = (bits: number): bigint => generatePrimeSync(bits, { bigint: true });

/** Primes whose certificates are cheap: all up to 64 bits, and the Mersenne primes up to 127. */
const CERTIFIED = [
  1_048_583n,
  ...[20, 24, 32, 40, 48, 56, 63, 64].flatMap((bits) =>
    Array.from({ length: 8 }, () => prime(bits)).filter((n) => n >= 1n << 20n),
  ),
  (1n << 64n) - 59n,
  (1n << 64n) + 13n,
  ...[31n, 61n, 89n, 107n, 127n].map((exponent) => (1n << exponent) - 1n),
];
const certified = CERTIFIED.map((n) => ({ n, result: evidence(n) }));

describe("certificates", () => {
  test("each prime from 2^20 to 2^64 gets one that the verifier accepts, and some above", () => {
    for (const { n, result } of certified) {
      const { certificate, ...rest } = result;
      expect(rest).toEqual({ prime: true, certainty: "proven", method: "pratt" });
      expect(certificate && isPrimeBy(n, certificate), String(n)).toBe(true);
    }
  });

  test("below 2^20 trial division is proof enough", () => {
    expect(evidence(1_048_573n)).toEqual(isPrime(1_048_573n, randomBytes));
    expect(evidence(2n)).toEqual({ prime: true, certainty: "proven", method: "trial-division" });
  });

  test("a prime whose predecessor cannot be factored stays probable, with its bound", () => {
    const n = (1n << 521n) - 1n;
    expect(evidence(n)).toEqual({
      prime: true,
      certainty: "probable",
      method: "baillie-psw+miller-rabin",
      errorBound: 2 ** -64,
    });
  });

  const python = spawnSync("python3", ["--version"]).status === 0;
  const skipped = python ? "" : " (SKIPPED: python3 is not there)";
  test.skipIf(!python)(`Python agrees with each, by its own arithmetic${skipped}`, () => {
    const lines = certified.map(({ n, result }) => linesOf(n, result.certificate));
    const { stdout, stderr } = spawnSync("python3", ["-c", CHECKER], {
      input: lines.join(""),
      encoding: "utf8",
    });
    expect([stdout, stderr]).toEqual([`${certified.length}\n`, ""]);
  });

  test("OpenSSL calls every prime in them prime", () => {
    const primes = certified.flatMap(({ result }) =>
      (result.certificate?.steps ?? []).flatMap(({ prime: p, factors }) => [p, ...factors]),
    );
    expect(primes.filter((p) => !checkPrimeSync(p))).toEqual([]);
  });
});

describe("factors", () => {
  test("a composite without a small factor gets one all the same", () => {
    const n = 172_983_479_832_623_897_492_387_592_384_682_937_659_382_477n;
    const { witness, ...rest } = evidence(n);
    expect(rest).toEqual({ prime: false, certainty: "proven", method: "baillie-psw" });
    expect(witness).toEqual({ factor: 9_020_941n });
    expect(isCompositeBy(n, witness!)).toBe(true);
  });

  test("two large primes stay unfound, and a base is the witness", () => {
    for (const bits of [128, 1024]) {
      const n = prime(bits) * prime(bits);
      expect(evidence(n).witness).toEqual({ base: 2n });
    }
  });

  test("squares and cubes of primes, and products of close ones, are taken apart", () => {
    const pairs = [
      [1009n, 1013n],
      [1_000_003n, 1_000_033n],
    ] as const;
    for (const [p, q] of pairs) {
      for (const n of [p * p, p * p * p, p * q, p * p * q, 2n * p, 2n ** 60n]) {
        const factors = primeFactors(n, createBudget()) ?? [];
        expect(factors).toEqual([2n, p, q].filter((factor) => n % factor === 0n));
      }
    }
  });

  test("the primes that divide any number below 2^60", () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 1n << 60n), (n) => {
        let rest = n;
        for (const factor of primeFactors(n, createBudget()) ?? []) {
          expect(checkPrimeSync(factor)).toBe(true);
          expect(rest % factor).toBe(0n);
          while (rest % factor === 0n) rest /= factor;
        }
        expect(rest).toBe(1n);
      }),
    );
  });
});

function linesOf(n: bigint, certificate: PrimeCertificate | undefined): string {
  return `${stringifyJson([n, (certificate?.steps ?? []).map((step) => ({ ...step }))])}\n`;
}

/** Pratt's theorem once more, in ten lines of another language. */
const CHECKER = `
import json, sys
def proves(n, steps):
    proven = {step["prime"] for step in steps}
    for p, a, factors in ((s["prime"], s["base"], s["factors"]) for s in steps):
        rest = p - 1
        for q in factors:
            assert q in proven if q >= 2**20 else all(q % d for d in range(2, int(q**0.5) + 1))
            while rest % q == 0: rest //= q
            assert pow(a, (p - 1) // q, p) != 1
        assert rest == 1 and pow(a, p - 1, p) == 1
    return n in proven
print(sum(proves(*json.loads(line)) for line in sys.stdin))
`;
