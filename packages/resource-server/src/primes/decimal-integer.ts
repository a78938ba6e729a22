/** Integers as callers write them, judged before any costly conversion. */
import { bitLength, DECIMAL_INTEGER } from "@daykey/common/integers";
import { MAX_PRIME_BITS } from "@daykey/common/prime-certificate";
import { problem, type ProblemError } from "@daykey/service/http/problem-error";

const MAX_DIGITS = 1234; // of 2^4096 − 1

/**
 * The integer in plain decimal digits (`DECIMAL_INTEGER`).
 * @throws {ProblemError} 400 `invalid-number` or `number-too-large`
 */
export function parseDecimalInteger(text: string): bigint {
  if (!DECIMAL_INTEGER.test(text)) throw notAnInteger();
  if (!isBounded(text)) throw tooLarge();
  return BigInt(text);
}

/** Whether an integer, or one in decimal digits, has at most 4,096 bits. */
export function isBounded(value: bigint | string): boolean {
  if (typeof value === "string" && value.replace("-", "").length > MAX_DIGITS) return false;
  return bitLength(BigInt(value)) <= MAX_PRIME_BITS;
}

/** @param place where in a body it stands, if that has to be said, as in "numbers.3: " */
export function notAnInteger(place = ""): ProblemError {
  const detail =
    `${place}The number must be an integer in plain decimal digits, such as 97 or -12: ` +
    "no leading zero, plus sign, space, fraction or exponent.";
  return problem("invalid-number", { detail });
}

export function tooLarge(place = ""): ProblemError {
  const detail = `${place}The number must not be longer than ${MAX_PRIME_BITS} bits.`;
  return problem("number-too-large", { detail });
}
