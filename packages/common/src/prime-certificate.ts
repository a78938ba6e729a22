/**
 * What anyone can check about a prime without repeating the test: a witness that a number is
 * composite, and a certificate that it is prime. Pure, for servers, SDK and command line. What is
 * verified may come from anyone: every lie ends in `false`, in bounded time.
 */
import { bitLength, modPow } from "./integers.ts";
import { isStrongProbablePrime } from "./miller-rabin.ts";

/** Numbers of more bits are not looked at. */
export const MAX_PRIME_BITS = 4096;

/** Why a number is composite: a factor of it, or a base that fails the strong test (Miller–Rabin). */
export type CompositeWitness = { readonly factor: bigint } | { readonly base: bigint };

/**
 * A step of a certificate (Pratt, Every prime has a succinct certificate, 1975; after Lucas): `base`
 * has the order prime − 1 modulo `prime`, which only a prime allows. `factors` are the primes that
 * divide prime − 1, each once.
 */
export interface PrattStep {
  readonly prime: bigint;
  readonly base: bigint;
  readonly factors: readonly bigint[];
}

/**
 * The steps for a number and for each factor in them above `TRIAL_DIVISION_BELOW`, in any order. As a
 * factor is smaller than the prime of its step, no order and no circle can prove anything false.
 */
export interface PrimeCertificate {
  readonly type: "pratt";
  readonly steps: readonly PrattStep[];
}

/** Factors below this need no step: trial division settles them. */
export const TRIAL_DIVISION_BELOW = 1n << 20n;

/** More than any prime has whose certificate is cheap to find. */
const MAX_STEPS = 256;

/**
 * As many powers of the largest size are a few seconds. The 256 bits stand for what a power costs
 * however small it is.
 */
const MAX_WORK = 64 * powerWork(MAX_PRIME_BITS);

function powerWork(bits: number): number {
  return (bits + 256) ** 3;
}

/** Whether the witness proves that n > 1 is composite. */
export function isCompositeBy(n: bigint, witness: CompositeWitness): boolean {
  if (n < 4n || bitLength(n) > MAX_PRIME_BITS) return false;
  if ("factor" in witness) {
    const { factor } = witness;
    return factor > 1n && factor < n && n % factor === 0n;
  }
  const { base } = witness;
  // Every base in this range is passed by an odd prime; for an even n the test means nothing.
  return base > 1n && base < n - 1n && (n & 1n) === 1n && !isStrongProbablePrime(n, base);
}

/** Whether the certificate proves n prime; `false` too when that takes too much work. */
export function isPrimeBy(n: bigint, { steps }: PrimeCertificate): boolean {
  if (n < 2n || bitLength(n) > MAX_PRIME_BITS) return false;
  if (steps.length === 0 || steps.length > MAX_STEPS) return false;
  const proven = new Set(steps.map(({ prime }) => prime));
  if (!proven.has(n)) return false;
  let work = 0;
  for (const { prime, factors } of steps) {
    if (prime > n) return false;
    work += powerWork(bitLength(prime)) * (3 + Math.log2(factors.length + 1));
  }
  return work <= MAX_WORK && steps.every((step) => holds(step, proven));
}

/** Whether the step's prime is one, provided that all of `proven` are. */
function holds({ prime, base, factors }: PrattStep, proven: ReadonlySet<bigint>): boolean {
  if (prime < 3n || base < 2n || base >= prime) return false;
  let rest = prime - 1n;
  for (const factor of factors) {
    // A divisor of what is left: so it is smaller than `prime`, and there once.
    if (factor < 2n || rest % factor !== 0n) return false;
    const isPrime = factor < TRIAL_DIVISION_BELOW ? isSmallPrime(factor) : proven.has(factor);
    if (!isPrime) return false;
    while (rest % factor === 0n) rest /= factor;
  }
  return rest === 1n && hasFullOrder(base, prime, factors);
}

/**
 * Whether `base` has the order prime − 1, of which `factors` are the distinct primes: its power by that
 * is 1, and by none of its quotients by a factor. Those powers share their work as in a tree of
 * products, so that k factors cost log k powers and not k.
 */
export function hasFullOrder(base: bigint, prime: bigint, factors: readonly bigint[]): boolean {
  return areOrders(modPow(base, (prime - 1n) / product(factors), prime), factors, prime);
}

/** Whether `power`, by the product of `factors` without any one of them, is an element of that one's order. */
function areOrders(power: bigint, factors: readonly bigint[], modulus: bigint): boolean {
  const [factor = 1n] = factors;
  if (factors.length === 1) return power !== 1n && modPow(power, factor, modulus) === 1n;
  const middle = factors.length >> 1;
  const halves = [factors.slice(0, middle), factors.slice(middle)] as const;
  return halves.every((half, index) => {
    const other = product(halves[1 - index] ?? []);
    return areOrders(modPow(power, other, modulus), half, modulus);
  });
}

function product(factors: readonly bigint[]): bigint {
  return factors.reduce((all, factor) => all * factor, 1n);
}

/** By trial division, for n below `TRIAL_DIVISION_BELOW`. */
export function isSmallPrime(n: bigint): boolean {
  const small = Number(n);
  for (let divisor = 2; divisor * divisor <= small; divisor++) {
    if (small % divisor === 0) return false;
  }
  return small > 1;
}
