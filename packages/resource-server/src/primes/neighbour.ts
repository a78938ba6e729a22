/** The next and the previous prime. */
import { checkPrimeSync, randomBytes } from "node:crypto";
import { bitLength } from "@daykey/common/integers";
import { MAX_PRIME_BITS } from "@daykey/common/prime-certificate";

import { type Found, isPrime } from "./is-prime.ts";

export type Direction = "next" | "previous";

/** So that a search of many seconds gives its thread to others in between. */
const CANDIDATES = 16;

/**
 * The least prime above n, or the greatest below it, with what `isPrime` says of it; undefined when
 * there is none of at most 4,096 bits. After 16 candidates it says how far it came: there it goes on. OpenSSL sorts out the composites, five times as fast as bigint
 * there; it lets every prime through, and what it lets through is judged anew.
 */
export function findNeighbour(
  n: bigint,
  direction: Direction,
): Found | { searchedTo: bigint } | undefined {
  const step = direction === "next" ? 2n : -2n;
  let number = firstCandidate(n, direction);
  for (let i = 0; i < CANDIDATES; i++, number += step) {
    if (!isWithin(number)) return undefined;
    if (!checkPrimeSync(number)) continue;
    const result = isPrime(number, randomBytes);
    if (result.prime) return { number, ...result };
  }
  return { searchedTo: number - step };
}

/** The nearest number that may be prime: 2, or an odd one. */
function firstCandidate(n: bigint, direction: Direction): bigint {
  if (direction === "next") {
    if (n < 2n) return 2n;
    return n + ((n & 1n) === 1n ? 2n : 1n);
  }
  if (n === 3n) return 2n;
  return n - ((n & 1n) === 1n ? 2n : 1n);
}

function isWithin(number: bigint): boolean {
  return number > 1n && bitLength(number) <= MAX_PRIME_BITS;
}
