/**
 * Public keys that are no protection: anybody can find the private key, or make signatures without it.
 * A library imports most of them without a word. Whoever takes public keys from others asks here first.
 */
import { fromBase64url } from "./bytes.ts";
import { bitLength, gcd, isSquare, modPow, squareRoot } from "./integers.ts";

/** The members of a JWK that make a public key (RFC 7518 §6, RFC 8037 §2). Others may stand beside them. */
export interface PublicKeyMembers {
  kty?: unknown;
  crv?: unknown;
  n?: unknown;
  e?: unknown;
  x?: unknown;
  y?: unknown;
}

/** RFC 7518 §3.3 sets the least. A larger modulus makes each verification dear, and this check too. */
const RSA_BITS = { min: 2048, max: 4096 };
const RSA_EXPONENT = 65_537n;
const MISWRITTEN = "The key's numbers are not written as RFC 7518 §6 wants, or are no key.";

/**
 * Why a public key must not be used, in a sentence for whoever brought it, or undefined. It knows RSA,
 * P-256 and Ed25519; whatever else is refused. An RSA key costs about a millisecond.
 *
 * Not checked: whether the holder keeps the private key secret, whether the two primes of a modulus are
 * shared with another key or were drawn badly in another way than those below, and members that are not
 * of the public key (`d`, `alg`, `use`).
 */
export function weakness(jwk: PublicKeyMembers): string | undefined {
  if (jwk.kty === "RSA") return rsaWeakness(jwk);
  if (jwk.kty === "EC" && jwk.crv === "P-256") return p256Weakness(jwk);
  if (jwk.kty === "OKP" && jwk.crv === "Ed25519") return ed25519Weakness(jwk);
  return "The key is of P-256, Ed25519 or RSA.";
}

function rsaWeakness({ n: modulusText, e: exponentText }: PublicKeyMembers): string | undefined {
  const n = readNumber(modulusText, "big-endian");
  const e = readNumber(exponentText, "big-endian");
  if (n === undefined || e === undefined) return MISWRITTEN;
  const bits = bitLength(n);
  if (bits < RSA_BITS.min || bits > RSA_BITS.max || e !== RSA_EXPONENT) {
    return `An RSA key has ${RSA_BITS.min} to ${RSA_BITS.max} bits and the exponent 65537.`;
  }
  if (gcd(n, SMALL_PRIMES) !== 1n) return "The RSA modulus has a small factor.";
  if (hasCloseFactors(n)) return "The RSA modulus is factored at once: its primes are too close.";
  if (isOfRoca(n)) return "The RSA key was made by a generator known as broken (CVE-2017-15361).";
  return undefined;
}

/** A number written as an unpadded base64url of octets, as RFC 7518 §2 and RFC 8032 §5.1.2 have them. */
function readNumber(
  text: unknown,
  order: "big-endian" | "little-endian",
  length?: number,
): bigint | undefined {
  // More than any key here needs, so that a long text costs nothing.
  if (typeof text !== "string" || text === "" || text.length > 1024) return undefined;
  const bytes = fromBase64url(text);
  if (!bytes || (length !== undefined && bytes.length !== length)) return undefined;
  let hex = "";
  for (const byte of order === "big-endian" ? bytes : bytes.toReversed()) {
    hex += byte.toString(16).padStart(2, "0");
  }
  return BigInt(`0x${hex}`);
}

/** The odd primes up to 751, which NIST SP 800-89 §5.3.3 has a modulus tried by. */
const ODD_PRIMES = oddPrimesBelow(752);
const SMALL_PRIMES = ODD_PRIMES.reduce((product, prime) => product * BigInt(prime), 2n);

function oddPrimesBelow(end: number): readonly number[] {
  const primes: number[] = [];
  for (let n = 3; n < end; n += 2) {
    if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  }
  return primes;
}

/** What a generator that takes a prime and the next one needs is one round (CVE-2022-26320). */
const FERMAT_ROUNDS = 100;

/** Fermat's factorization of odd n: for some a near √n, a² − n is a square. A square is found in round 0. */
function hasCloseFactors(n: bigint): boolean {
  if (isSquare(n)) return true;
  let a = squareRoot(n) + 1n;
  for (let round = 0; round < FERMAT_ROUNDS; round++, a++) {
    if (isSquare(a * a - n)) return true;
  }
  return false;
}

/** The odd primes up to 167. All the affected sizes of key have their product in `M` of the paper. */
const ROCA_PRIMES = ODD_PRIMES.filter((prime) => prime <= 167);
const ROCA_GENERATOR = 65_537;

/**
 * The discrete logarithm fingerprint of Nemec et al., The Return of Coppersmith's Attack (CCS 2017), §2.3:
 * a modulus of such a generator is 65537^c modulo the product of small primes. It is when it is so modulo
 * each of them, and when one c fits all. Of 2^154 other moduli one is taken for such.
 */
function isOfRoca(n: bigint): boolean {
  const logarithms: { c: number; order: number }[] = [];
  for (const prime of ROCA_PRIMES) {
    const found = discreteLogarithm(Number(n % BigInt(prime)), prime);
    if (!found) return false;
    logarithms.push(found);
  }
  // A system of congruences has a solution when each two of them have one.
  return logarithms.every((one, i) =>
    logarithms.slice(i + 1).every((other) => {
      const common = Number(gcd(BigInt(one.order), BigInt(other.order)));
      return (one.c - other.c) % common === 0;
    }),
  );
}

/** c with 65537^c ≡ residue, and the order of 65537, which c is known modulo. */
function discreteLogarithm(
  residue: number,
  prime: number,
): { c: number; order: number } | undefined {
  const generator = ROCA_GENERATOR % prime;
  let c: number | undefined;
  let power = 1;
  let order = 0;
  do {
    if (power === residue) c = order;
    power = (power * generator) % prime;
    order += 1;
  } while (power !== 1);
  return c === undefined ? undefined : { c, order };
}

/** NIST SP 800-186 §3.2.1.3; its order is prime, so every point but the one at infinity is of that order. */
const P256_P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const P256_B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;

/** NIST SP 800-56A §5.6.2.3.3: both coordinates in the field, and the point on the curve. */
function p256Weakness({ x: xText, y: yText }: PublicKeyMembers): string | undefined {
  const x = readNumber(xText, "big-endian", 32);
  const y = readNumber(yText, "big-endian", 32);
  if (x === undefined || y === undefined || x >= P256_P || y >= P256_P) return MISWRITTEN;
  return (y * y - (x * x * x - 3n * x + P256_B)) % P256_P === 0n ? undefined : MISWRITTEN;
}

/** RFC 8032 §5.1. */
const ED25519_P = 2n ** 255n - 19n;
const ED25519_D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

/**
 * RFC 8032 §5.1.3: y is written in one way alone, and the point is on the curve. Then that its order is
 * not 1, 2, 4 or 8: under such a key one signature fits many messages, or every one.
 */
function ed25519Weakness({ x: text }: PublicKeyMembers): string | undefined {
  const encoded = readNumber(text, "little-endian", 32);
  if (encoded === undefined) return MISWRITTEN;
  const y = encoded & (2n ** 255n - 1n);
  if (y >= ED25519_P) return MISWRITTEN;
  const square = y * y;
  // x² = (y² − 1) / (d·y² + 1), and a quotient is a square where the product of the two is.
  const xSquareTop = (square - 1n + ED25519_P) % ED25519_P;
  const xSquareBottom = (ED25519_D * square + 1n) % ED25519_P;
  if (xSquareTop !== 0n && !isSquareModP(xSquareTop * xSquareBottom)) return MISWRITTEN;
  return isOfSmallOrder(y) ? "The Ed25519 key is a point of small order." : undefined;
}

function isSquareModP(value: bigint): boolean {
  return modPow(value % ED25519_P, (ED25519_P - 1n) / 2n, ED25519_P) === 1n;
}

/**
 * Whether 8·P is the neutral element. y alone tells: 1 and −1 are of order 1 and 2, 0 of 4, and a point
 * of order 8 is one whose double has y = 0, that is x² = −y².
 */
function isOfSmallOrder(y: bigint): boolean {
  const square = (y * y) % ED25519_P;
  // The curve −x² + y² = 1 + d·x²·y² with x² = −y² in it: 2·y² = 1 − d·y⁴.
  const ofOrder8 = (2n * square - 1n + ED25519_D * square * square) % ED25519_P;
  return square === 0n || square === 1n || ofOrder8 === 0n;
}
