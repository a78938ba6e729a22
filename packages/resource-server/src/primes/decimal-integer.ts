/** Integers as callers write them, judged before any costly conversion. */
import { ProblemError } from "@daykey/service/problem-error";

import { bitLength } from "./integers.ts";

const MAX_BITS = 4096;
const MAX_DIGITS = 1234; // of 2^4096 − 1
const DECIMAL_INTEGER = /^(?:0|-?[1-9][0-9]*)$/;

/**
 * The integer in plain decimal digits: no sign but a minus, no leading zero, no space, fraction,
 * exponent or separator, so that each integer has one spelling.
 * @throws {ProblemError} 400 `invalid-number` or `number-too-large`
 */
export function parseDecimalInteger(text: string): bigint {
  if (!DECIMAL_INTEGER.test(text)) throw notAnInteger();
  if (text.replace("-", "").length > MAX_DIGITS) throw tooLarge();
  return boundedInteger(BigInt(text));
}

/** @throws {ProblemError} 400 `number-too-large` past 4,096 bits */
export function boundedInteger(n: bigint): bigint {
  if (bitLength(n) > MAX_BITS) throw tooLarge();
  return n;
}

export function notAnInteger(): ProblemError {
  const detail =
    "The number must be an integer in plain decimal digits, such as 97 or -12: " +
    "no leading zero, plus sign, space, fraction or exponent.";
  return new ProblemError({ status: 400, code: "invalid-number", title: "Not an integer", detail });
}

function tooLarge(): ProblemError {
  const detail = `The number must not be longer than ${MAX_BITS} bits.`;
  return new ProblemError({ status: 400, code: "number-too-large", title: "Too large", detail });
}
