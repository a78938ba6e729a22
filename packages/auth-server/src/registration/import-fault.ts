/** Which secrets of another server are good here: those that nobody can guess, as they need no slow hash. */
import { kidOfSecret, parseSecretHash } from "@daykey/common/secret-hash";

const LENGTH = { min: 24, max: 128 };
const MIN_BITS = 128;
/** A random secret of this length repeats fewer. */
const MIN_DISTINCT = 8;

/** Alphabets that servers make secrets of, the smallest first, and how many characters each has. */
const ALPHABETS: readonly (readonly [pattern: RegExp, size: number])[] = [
  [/^\d+$/, 10],
  [/^[\da-f]+$/i, 16],
  [/^[a-z\d]+$|^[A-Z\d]+$/, 36],
  [/^[A-Za-z\d]+$/, 62],
  [/^[\w-]+$/, 64],
  [/^[\w.~-]+$/, 66],
  [/^[\x21-\x7E]+$/, 94],
];
/** Its hyphens stand where they always do. */
const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

/**
 * Why a secret cannot be imported, or undefined. Its bits are counted by its alphabet and length.
 * Not checked, as nobody can: whether it was made at random.
 */
export function importFault(secret: string): string | undefined {
  const counted = UUID.test(secret) ? secret.replaceAll("-", "") : secret;
  const [, size = 0] = ALPHABETS.find(([pattern]) => pattern.test(counted)) ?? [];
  const { length } = secret;
  if (size === 0 || length < LENGTH.min || length > LENGTH.max) {
    return `An imported secret is ${LENGTH.min} to ${LENGTH.max} printable ASCII characters without a space.`;
  }
  if (kidOfSecret(secret) !== undefined || parseSecretHash(secret) !== undefined) {
    return "An imported secret is none of this server's own, nor a hash of one.";
  }
  const bits = counted.length * Math.log2(size);
  return bits < MIN_BITS || new Set(counted).size < MIN_DISTINCT
    ? `An imported secret has ${MIN_BITS} bits by its alphabet and length; this one can be guessed.`
    : undefined;
}
