import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { isCompositeBy, isPrimeBy, isSmallPrime, type PrattStep } from "./prime-certificate.ts";

const MERSENNE = (1n << 127n) - 1n;
const LARGEST = (1n << 4096n) - 1n;
const INNER: PrattStep = {
  prime: 77_158_673_929n,
  base: 11n,
  factors: [2n, 3n, 7n, 73n, 699_053n],
};
/** The step for 2^127 − 1. Its last factor alone is above 2^20, and has a step of its own. */
const OUTER: PrattStep = {
  prime: MERSENNE,
  base: 43n,
  factors: [2n, 3n, 7n, 19n, 43n, 73n, 127n, 337n, 5419n, 92_737n, 649_657n, INNER.prime],
};

function proves(n: bigint, ...steps: PrattStep[]): boolean {
  return isPrimeBy(n, { type: "pratt", steps });
}

describe("certificates", () => {
  test("one proves its number, in any order of steps and factors", () => {
    expect(proves(MERSENNE, OUTER, INNER)).toBe(true);
    expect(proves(MERSENNE, INNER, { ...OUTER, factors: OUTER.factors.toReversed() })).toBe(true);
    expect(proves(INNER.prime, INNER)).toBe(true);
    expect(proves(3n, { prime: 3n, base: 2n, factors: [2n] })).toBe(true);
  });

  test("a factor more costs little: the primorial prime 2657# + 1 has 384", () => {
    const factors = Array.from({ length: 2658 }, (_, n) => BigInt(n)).filter(isSmallPrime);
    const prime = factors.reduce((all, p) => all * p, 1n) + 1n;
    const steps = [{ prime, base: 2n, factors }];
    expect([factors.length, proves(prime, ...steps)]).toEqual([384, true]);
    // A hundred times the same is true as well, and too much.
    expect(proves(prime, ...Array.from({ length: 100 }, () => steps).flat())).toBe(false);
  });

  const changed = (change: Partial<PrattStep>): PrattStep[] => [{ ...OUTER, ...change }, INNER];
  const others = OUTER.factors.slice(0, -1);
  test.each<[string, bigint, PrattStep[]]>([
    ["none", MERSENNE, []],
    ["without the step of its number", MERSENNE, [INNER]],
    ["without the step of a factor", MERSENNE, [OUTER]],
    ["of another number", MERSENNE - 2n, [OUTER, INNER]],
    ["with a step for a larger number", INNER.prime, [INNER, OUTER]],
    ["with a wrong step that nobody needs", MERSENNE, [OUTER, INNER, { ...INNER, base: 1n }]],
    ["with a base of smaller order", MERSENNE, changed({ base: 3n })],
    ["with base 0", MERSENNE, changed({ base: 0n })],
    ["with base 1", MERSENNE, changed({ base: 1n })],
    ["with base −1", MERSENNE, changed({ base: MERSENNE - 1n })],
    ["with a negative base", MERSENNE, changed({ base: -43n })],
    ["with a base beyond its prime", MERSENNE, changed({ base: 43n + MERSENNE })],
    ["with a factor too few", MERSENNE, changed({ factors: others })],
    ["with a factor twice", MERSENNE, changed({ factors: [2n, ...OUTER.factors] })],
    ["with a factor too many", MERSENNE, changed({ factors: [...OUTER.factors, 5n] })],
    ["with 1 as a factor", MERSENNE, changed({ factors: [...OUTER.factors, 1n] })],
    ["with 0 as a factor", MERSENNE, changed({ factors: [...OUTER.factors, 0n] })],
    ["with a negative factor", MERSENNE, changed({ factors: [...OUTER.factors, -2n] })],
    [
      "with a small factor that is no prime",
      MERSENNE,
      changed({ factors: [6n, ...OUTER.factors.slice(2)] }),
    ],
    [
      "with a large factor that is no prime",
      MERSENNE,
      changed({ factors: [...others.slice(1), 2n * INNER.prime] }),
    ],
    ["with n − 1 as its own factor", MERSENNE, changed({ factors: [MERSENNE - 1n] })],
    ["of 1", 1n, [{ prime: 1n, base: 2n, factors: [] }]],
    ["of 0", 0n, [{ prime: 0n, base: 2n, factors: [] }]],
    ["of a negative number", -3n, [{ prime: -3n, base: 2n, factors: [2n] }]],
  ])("one %s proves nothing", (_, n, steps) => expect(proves(n, ...steps)).toBe(false));

  test("a change of any number in one makes it false, unless the base is another of full order", () => {
    const steps = [OUTER, INNER];
    fc.assert(
      fc.property(fc.nat(1), fc.nat(12), fc.bigInt(-1000n, 1000n), (at, place, by) => {
        fc.pre(by !== 0n);
        const { prime, base, factors } = steps[at]!;
        const index = place % (factors.length + 1);
        const forged = factors.with(index % factors.length, factors[index % factors.length]! + by);
        const moved: PrattStep =
          index === factors.length
            ? { prime: prime + by, base, factors }
            : { prime, base, factors: forged };
        expect(proves(MERSENNE, ...steps.with(at, moved))).toBe(false);
      }),
    );
  });

  test("a composite has none, whatever the base, with the true factors of n − 1", () => {
    // Carmichael numbers, a strong pseudoprime to the bases 2 to 37, a square.
    const composites: [bigint, bigint[]][] = [
      [561n, [2n, 5n, 7n]],
      [1729n, [2n, 3n]],
      [2047n, [2n, 3n, 11n, 31n]],
      [1_194_649n, [2n, 3n, 7n, 13n, 547n]],
      [3_215_031_751n, [2n, 3n, 5n, 7n, 37n, 613n]],
    ];
    for (const [n, factors] of composites) {
      fc.assert(
        fc.property(fc.bigInt(2n, n - 1n), (base) => {
          expect(proves(n, { prime: n, base, factors })).toBe(false);
        }),
      );
    }
  });

  test("one that would take hours is refused before any power is computed", () => {
    const factors = Array.from({ length: 4096 }, () => 2n);
    const step: PrattStep = { prime: LARGEST, base: 2n, factors };
    expect(proves(LARGEST, step)).toBe(false);
    expect(proves(LARGEST, ...Array.from({ length: 256 }, () => ({ ...step, factors: [] })))).toBe(
      false,
    );
    expect(proves(MERSENNE, OUTER, ...Array.from({ length: 256 }, () => INNER))).toBe(false);
    const over = 1n << 4096n;
    expect(proves(over, { prime: over, base: 3n, factors: [2n] })).toBe(false);
  });
});

describe("witnesses", () => {
  test.each([
    [15n, { factor: 3n }, true],
    [15n, { factor: 5n }, true],
    [4n, { factor: 2n }, true],
    [LARGEST, { factor: 3n }, true],
    [15n, { factor: 1n }, false],
    [15n, { factor: 15n }, false],
    [15n, { factor: -3n }, false],
    [15n, { factor: 0n }, false],
    [15n, { factor: 2n }, false],
    [15n, { factor: 30n }, false],
    [3n, { factor: 3n }, false],
    [0n, { factor: 2n }, false],
    [-15n, { factor: 3n }, false],
    [LARGEST + 1n, { factor: 2n }, false],
    [15n, { base: 2n }, true],
    [15n, { base: 13n }, true],
    [2047n, { base: 3n }, true],
    [2047n, { base: 2n }, false],
    [15n, { base: 0n }, false],
    [15n, { base: 1n }, false],
    [15n, { base: 14n }, false],
    [15n, { base: 15n }, false],
    [15n, { base: -2n }, false],
    [4n, { base: 3n }, false],
    [8n, { base: 3n }, false],
    [2n, { base: 2n }, false],
  ])("%i, case %#", (n, witness, expected) => expect(isCompositeBy(n, witness)).toBe(expected));

  test("none is true of a prime", () => {
    for (const prime of [2n, 3n, 5n, 7n, 11n, 1_000_003n, INNER.prime, MERSENNE]) {
      fc.assert(
        fc.property(fc.bigInt(-5n, prime + 5n), (value) => {
          expect(isCompositeBy(prime, { factor: value })).toBe(false);
          expect(isCompositeBy(prime, { base: value })).toBe(false);
        }),
      );
    }
  });
});

test("trial division knows the primes below 2^20", () => {
  const count = Array.from({ length: 1000 }, (_, n) => BigInt(n)).filter(isSmallPrime).length;
  expect([count, isSmallPrime(1_048_573n), isSmallPrime(1021n * 1021n)]).toEqual([
    168,
    true,
    false,
  ]);
});
