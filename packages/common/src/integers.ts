/** Arithmetic on bigint that primality tests and proofs share. Nothing here runs in constant time. */

/** The length of |n| in bits; 0 for 0. */
export function bitLength(n: bigint): number {
  const magnitude = n < 0n ? -n : n;
  if (magnitude === 0n) return 0;
  const hex = magnitude.toString(16);
  return (hex.length - 1) * 4 + 32 - Math.clz32(Number.parseInt(hex.slice(0, 1), 16));
}

/** The power of two in n ≠ 0: n = odd · 2^twos. */
export function splitTwos(n: bigint): { odd: bigint; twos: number } {
  let twos = 0;
  while ((n & 1n) === 0n) {
    n >>= 1n;
    twos += 1;
  }
  return { odd: n, twos };
}

const WINDOW_BITS = 4;

/**
 * base^exponent mod modulus, for exponent ≥ 0 and modulus ≥ 2, by fixed windows of the exponent
 * (Handbook of Applied Cryptography, algorithm 14.82): its hexadecimal digits, read from the left.
 * V8's own division made Montgomery and Barrett reduction in bigint slower at every size measured.
 */
export function modPow(base: bigint, exponent: bigint, modulus: bigint): bigint {
  const powers = [1n];
  for (let i = 1; i < 1 << WINDOW_BITS; i++) powers.push((powers[i - 1]! * base) % modulus);
  let result = 1n;
  for (const digit of exponent.toString(1 << WINDOW_BITS)) {
    for (let i = 0; i < WINDOW_BITS; i++) result = (result * result) % modulus;
    const power = Number.parseInt(digit, 1 << WINDOW_BITS);
    if (power !== 0) result = (result * powers[power]!) % modulus;
  }
  return result;
}

/** Whether n > 0 is a square. */
export function isSquare(n: bigint): boolean {
  // Squares leave 12 of the 64 residues: most numbers need no root.
  if (!SQUARES_MOD_64.has(Number(n & 63n))) return false;
  const root = squareRoot(n);
  return root * root === n;
}

const SQUARES_MOD_64 = new Set(Array.from({ length: 32 }, (_, root) => root ** 2 % 64));

/** ⌊√n⌋ for n > 0, by Newton's method from above (Cohen, A Course in Computational Algebraic Number Theory, 1.7.1). */
export function squareRoot(n: bigint): bigint {
  let root = 1n << BigInt((bitLength(n) + 1) >> 1);
  for (;;) {
    const next = (root + n / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** The Jacobi symbol (a/n) for odd n > 0 (Cohen, algorithm 1.4.10). */
export function jacobi(a: bigint, n: bigint): -1 | 0 | 1 {
  a %= n;
  if (a < 0n) a += n;
  let sign: -1 | 1 = 1;
  while (a !== 0n) {
    const { odd, twos } = splitTwos(a);
    const nMod8 = n & 7n;
    if (twos % 2 === 1 && (nMod8 === 3n || nMod8 === 5n)) sign = -sign as -1 | 1;
    if ((odd & 3n) === 3n && (n & 3n) === 3n) sign = -sign as -1 | 1;
    a = n % odd;
    n = odd;
  }
  return n === 1n ? sign : 0;
}

/** The greatest common divisor of a ≥ 0 and b ≥ 0. */
export function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

/**
 * An integer in plain decimal digits, as JSON writes one: no sign but a minus, no leading zero, no space,
 * fraction, exponent or separator. `-0` is 0, as it is in JSON.
 */
export const DECIMAL_INTEGER = /^-?(?:0|[1-9][0-9]*)$/;
