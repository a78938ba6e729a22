/**
 * The strong probable-prime test (Miller 1976; Rabin, Probabilistic algorithm for testing
 * primality, 1980). A base that fails it proves n composite. For an odd composite n > 9 at most a
 * quarter of the bases pass (Monier 1980, Rabin 1980), so k bases drawn at random let it through with
 * a probability of at most 4^-k, whoever chose n.
 */
import { bitLength, modPow, splitTwos } from "./integers.ts";

/** `count` unpredictable bytes, such as node:crypto's `randomBytes`. */
export type RandomBytes = (count: number) => Uint8Array;

/** Whether odd n > 2 passes for a base with 2 ≤ base ≤ n − 2. */
export function isStrongProbablePrime(n: bigint, base: bigint): boolean {
  const minusOne = n - 1n;
  const { odd, twos } = splitTwos(minusOne);
  let power = modPow(base, odd, n);
  if (power === 1n || power === minusOne) return true;
  for (let i = 1; i < twos; i++) {
    power = (power * power) % n;
    if (power === minusOne) return true;
  }
  return false;
}

/** A base for odd n ≥ 5, uniform over 2 … n − 2 but for a bias below 2^-64. */
export function randomBase(n: bigint, randomBytes: RandomBytes): bigint {
  const bytes = randomBytes(Math.ceil(bitLength(n) / 8) + 8);
  let random = 0n;
  for (const byte of bytes) random = (random << 8n) | BigInt(byte);
  return 2n + (random % (n - 3n));
}
