/**
 * Factors that cost little: trial division, then Pollard's rho in Brent's form (Brent, An improved
 * Monte Carlo factorization algorithm, BIT 20 (1980)), within a budget of work. Whoever chose the
 * number, the budget ends it.
 */
import { bitLength, gcd } from "@daykey/common/integers";

import { isBailliePswProbablePrime, SMALL_PRIMES } from "./is-prime.ts";

/** Work that is left: multiplications modulo a number of 128 bits, about 0.3 µs each. */
export interface Budget {
  left: number;
}

/** About half a second: finds primes of up to 34 bits or so, and of 24 at 4,096 bits. */
export function createBudget(): Budget {
  return { left: 1 << 20 };
}

/** How many differences are multiplied before one greatest common divisor. */
const BATCH = 128;

/** The distinct primes that divide n ≥ 1, in order, or undefined when the budget does not reach. */
export function primeFactors(n: bigint, budget: Budget): bigint[] | undefined {
  const primes = new Set<bigint>();
  let rest = n;
  for (const p of SMALL_PRIMES) {
    while (rest % p === 0n) {
      primes.add(p);
      rest /= p;
    }
  }
  const parts = rest === 1n ? [] : [rest];
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    if (isBailliePswProbablePrime(part)) {
      primes.add(part);
      continue;
    }
    const factor = findFactor(part, budget);
    if (factor === undefined) return undefined;
    parts.push(factor, part / factor);
  }
  return [...primes].toSorted((a, b) => (a < b ? -1 : 1));
}

/** A factor between 1 and odd composite n, not always a prime; undefined at the budget's end. */
export function findFactor(n: bigint, budget: Budget): bigint | undefined {
  for (let c = 1n; budget.left > 0; c++) {
    const factor = runRho(n, c, budget);
    if (factor !== undefined && factor !== n) return factor;
  }
  return undefined;
}

/** One run over x² + c: a factor, or n itself when all came in one batch, or undefined at the budget's end. */
function runRho(n: bigint, c: bigint, budget: Budget): bigint | undefined {
  const cost = 2 * Math.max(1, (bitLength(n) / 128) ** 1.25);
  const next = (x: bigint) => (x * x + c) % n;
  let y = 2n;
  for (let length = 1; budget.left > 0; length *= 2) {
    const x = y;
    for (let i = 0; i < length; i++) y = next(y);
    budget.left -= (cost / 2) * length;
    for (let done = 0; done < length && budget.left > 0; done += BATCH) {
      let product = 1n;
      const count = Math.min(BATCH, length - done);
      for (let i = 0; i < count; i++) {
        y = next(y);
        product = (product * distance(x, y)) % n;
      }
      budget.left -= cost * count;
      const divisor = gcd(product, n);
      if (divisor === 1n) continue;
      return divisor;
    }
  }
  return undefined;
}

function distance(a: bigint, b: bigint): bigint {
  return a < b ? b - a : a - b;
}
