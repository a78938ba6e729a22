/**
 * Is an integer prime? Trial division, then Baillie–PSW (a strong test to base 2 and a strong Lucas
 * test: Baillie & Wagstaff 1980; Pomerance, Selfridge & Wagstaff 1980), then Miller–Rabin to random
 * bases.
 *
 * A "no" is always proven: each test that says so has found n composite. A "yes" is proven below
 * 2^64, where Baillie–PSW has no counterexample: Feitsma's list of every base-2 pseudoprime below
 * 2^64 holds no strong Lucas pseudoprime (Gilchrist 2013; Baillie, Fiori & Wagstaff, Strengthening
 * the Baillie-PSW primality test, Math. Comp. 90 (2021), §1). Above it no counterexample is known
 * either, but that is no bound for numbers chosen by an adversary; the random rounds give one.
 */
import { bitLength } from "./integers.ts";
import { isStrongLucasProbablePrime } from "./lucas.ts";
import { isStrongProbablePrime, randomBase, type RandomBytes } from "./miller-rabin.ts";

/** What settled the answer; "definition" for integers below 2. */
export type PrimeMethod =
  | "definition"
  | "trial-division"
  | "baillie-psw"
  | "baillie-psw+miller-rabin";

export interface PrimeResult {
  prime: boolean;
  certainty: "proven" | "probable";
  method: PrimeMethod;
  /** With "probable": a composite, whoever chose it, gets this answer with at most this probability. */
  errorBound?: number;
}

const TRIAL_LIMIT = 1000;
const SMALL_PRIMES = smallPrimes(TRIAL_LIMIT);
const PROVEN_BELOW = 1n << 64n;

/** Takes any integer; its size is the caller's to bound (time grows with the cube of its length). */
export function isPrime(n: bigint, randomBytes: RandomBytes): PrimeResult {
  if (n < 2n) return { prime: false, certainty: "proven", method: "definition" };
  for (const p of SMALL_PRIMES) {
    if (n % p === 0n) return { prime: n === p, certainty: "proven", method: "trial-division" };
  }
  if (n < BigInt(TRIAL_LIMIT) ** 2n) {
    return { prime: true, certainty: "proven", method: "trial-division" };
  }
  if (!isBailliePswProbablePrime(n)) {
    return { prime: false, certainty: "proven", method: "baillie-psw" };
  }
  if (n < PROVEN_BELOW) return { prime: true, certainty: "proven", method: "baillie-psw" };

  const method = "baillie-psw+miller-rabin";
  const rounds = randomRounds(bitLength(n));
  for (let round = 0; round < rounds; round++) {
    if (!isStrongProbablePrime(n, randomBase(n, randomBytes))) {
      return { prime: false, certainty: "proven", method };
    }
  }
  return { prime: true, certainty: "probable", method, errorBound: 4 ** -rounds };
}

/** For odd n > 4. */
export function isBailliePswProbablePrime(n: bigint): boolean {
  return isStrongProbablePrime(n, 2n) && isStrongLucasProbablePrime(n);
}

/** As many as keep a prime of 4,096 bits near a second; GMP too adds few to Baillie–PSW. */
function randomRounds(bits: number): number {
  if (bits <= 1024) return 32;
  return bits <= 2048 ? 16 : 8;
}

/** The primes up to `limit`, by the sieve of Eratosthenes. */
function smallPrimes(limit: number): bigint[] {
  const composite = new Uint8Array(limit + 1);
  const primes: bigint[] = [];
  for (let n = 2; n <= limit; n++) {
    if (composite[n]) continue;
    primes.push(BigInt(n));
    for (let multiple = n * n; multiple <= limit; multiple += n) composite[multiple] = 1;
  }
  return primes;
}
