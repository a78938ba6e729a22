/**
 * Is an integer prime? Trial division, then Baillie–PSW (a strong test to base 2 and a strong Lucas
 * test: Baillie & Wagstaff 1980; Pomerance, Selfridge & Wagstaff 1980), then Miller–Rabin to random
 * bases.
 *
 * A "no" is always proven, and comes with a witness that anyone can check. A "yes" is proven below
 * 2^64, where Baillie–PSW has no counterexample: Feitsma's list of every base-2 pseudoprime below
 * 2^64 holds no strong Lucas pseudoprime (Gilchrist 2013; Baillie, Fiori & Wagstaff, Strengthening
 * the Baillie-PSW primality test, Math. Comp. 90 (2021), §1). Above it no counterexample is known
 * either, but that is no bound for numbers chosen by an adversary; the random rounds give one.
 */
import { bitLength } from "@daykey/common/integers";
import { isStrongProbablePrime, randomBase, type RandomBytes } from "@daykey/common/miller-rabin";
import type { CompositeWitness, PrimeCertificate } from "@daykey/common/prime-certificate";
import { isStrongLucasProbablePrime } from "./lucas.ts";

/** What settled the answer; "definition" for integers below 2. */
export type PrimeMethod =
  | "definition"
  | "trial-division"
  | "baillie-psw"
  | "baillie-psw+miller-rabin"
  | "pratt";

export interface PrimeResult {
  prime: boolean;
  certainty: "proven" | "probable";
  method: PrimeMethod;
  /** With "probable": a composite, whoever chose it, gets this answer with at most this probability. */
  errorBound?: number;
  /** For every composite above 1. */
  witness?: CompositeWitness;
  /** For a prime, when it was asked for and could be had (`evidence.ts`); the method is then "pratt". */
  certificate?: PrimeCertificate;
}

/** A number with what is known of it. */
export type Found = { readonly number: bigint } & PrimeResult;

const TRIAL_LIMIT = 1000;
export const SMALL_PRIMES: readonly bigint[] = smallPrimes(TRIAL_LIMIT);
const PROVEN_BELOW = 1n << 64n;

/** Takes any integer; its size is the caller's to bound (time grows with the cube of its length). */
export function isPrime(n: bigint, randomBytes: RandomBytes): PrimeResult {
  if (n < 2n) return { prime: false, certainty: "proven", method: "definition" };
  for (const p of SMALL_PRIMES) {
    if (n === p) return { prime: true, certainty: "proven", method: "trial-division" };
    if (n % p === 0n) return composite("trial-division", { factor: p });
  }
  if (n < BigInt(TRIAL_LIMIT) ** 2n) {
    return { prime: true, certainty: "proven", method: "trial-division" };
  }
  if (!isStrongProbablePrime(n, 2n)) return composite("baillie-psw", { base: 2n });
  if (!isStrongLucasProbablePrime(n)) {
    return composite("baillie-psw", { base: failingBase(n, randomBytes) });
  }
  if (n < PROVEN_BELOW) return { prime: true, certainty: "proven", method: "baillie-psw" };

  const method = "baillie-psw+miller-rabin";
  const rounds = randomRounds(bitLength(n));
  for (let round = 0; round < rounds; round++) {
    const base = randomBase(n, randomBytes);
    if (!isStrongProbablePrime(n, base)) return composite(method, { base });
  }
  return { prime: true, certainty: "probable", method, errorBound: 4 ** -rounds };
}

/** For odd n > 4. */
export function isBailliePswProbablePrime(n: bigint): boolean {
  return isStrongProbablePrime(n, 2n) && isStrongLucasProbablePrime(n);
}

function composite(method: PrimeMethod, witness: CompositeWitness): PrimeResult {
  return { prime: false, certainty: "proven", method, witness };
}

/**
 * A base that fails the strong test, for an odd composite that passes it to base 2. Small ones are
 * tried first, for they are short; of the random ones three in four fail.
 */
function failingBase(n: bigint, randomBytes: RandomBytes): bigint {
  const small = SMALL_PRIMES.slice(1, 12).find((base) => !isStrongProbablePrime(n, base));
  if (small !== undefined) return small;
  for (;;) {
    const base = randomBase(n, randomBytes);
    if (!isStrongProbablePrime(n, base)) return base;
  }
}

/** As many as keep a prime of 4,096 bits near a second; GMP too adds few to Baillie–PSW. */
function randomRounds(bits: number): number {
  if (bits <= 1024) return 32;
  return bits <= 2048 ? 16 : 8;
}

/** The primes up to `limit`, by the sieve of Eratosthenes. */
function smallPrimes(limit: number): bigint[] {
  const crossedOut = new Uint8Array(limit + 1);
  const primes: bigint[] = [];
  for (let n = 2; n <= limit; n++) {
    if (crossedOut[n]) continue;
    primes.push(BigInt(n));
    for (let multiple = n * n; multiple <= limit; multiple += n) crossedOut[multiple] = 1;
  }
  return primes;
}
