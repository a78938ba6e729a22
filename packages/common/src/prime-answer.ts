/**
 * Reads an answer of a resource-server about a prime, as JSON or parsed, and verifies what it says by
 * what it brings. Nothing in it is believed.
 */
import { bitLength, DECIMAL_INTEGER } from "./integers.ts";
import { readJsonObject } from "./json-numbers.ts";
import {
  type CompositeWitness,
  isCompositeBy,
  isPrimeBy,
  isSmallPrime,
  MAX_PRIME_BITS,
  type PrattStep,
  TRIAL_DIVISION_BELOW,
} from "./prime-certificate.ts";

/**
 * What the verdict rests on. Two kinds need nothing from the answer: "definition" for numbers below
 * 2, which are no primes, and "trial-division" for primes below 2^20.
 */
export type PrimeEvidence =
  | { readonly kind: "definition" | "trial-division" }
  | { readonly kind: "factor"; readonly factor: bigint }
  | { readonly kind: "witness"; readonly base: bigint }
  | { readonly kind: "certificate"; readonly steps: number };

export type PrimeVerification =
  /** The verdict is right, and this proves it. */
  | { readonly verified: true; readonly prime: boolean; readonly evidence: PrimeEvidence }
  /** `unproven`: the answer brings nothing that proves it; `false`: it is another number's, is no such answer, or its evidence does not hold. */
  | { readonly verified: false; readonly reason: "unproven" | "false" };

/** Most characters of a number of 4,096 bits in decimal, with a minus. */
const MAX_LENGTH = 1235;
const UNPROVEN = { verified: false, reason: "unproven" } as const;
const FALSE = { verified: false, reason: "false" } as const;

/**
 * Verifies that `answer` is about `number` and that its evidence proves its verdict: a factor, a base
 * that fails the strong test (Miller–Rabin), or a certificate (Pratt).
 *
 * @param answer the text of the answer, or the parsed JSON if its numbers were asked for as strings
 * (`JSON.parse` rounds others) or read exactly
 *
 * Not checked: `certainty`, `method` and `error_bound`, which are the server's word.
 */
export function verifyPrimeAnswer(number: bigint, answer: unknown): PrimeVerification {
  const members = objectOf(typeof answer === "string" ? readJsonObject(answer) : answer);
  if (bitLength(number) > MAX_PRIME_BITS || integer(members["number"]) !== number) return FALSE;
  if (members["prime"] === true) return verifyPrime(number, members["certificate"]);
  if (members["prime"] === false) return verifyComposite(number, members["witness"]);
  return FALSE;
}

function verifyPrime(number: bigint, certificate: unknown): PrimeVerification {
  if (number < TRIAL_DIVISION_BELOW) {
    return isSmallPrime(number) ? verified(true, { kind: "trial-division" }) : FALSE;
  }
  if (certificate === undefined) return UNPROVEN;
  const steps = stepsOf(certificate);
  if (!steps || !isPrimeBy(number, { type: "pratt", steps })) return FALSE;
  return verified(true, { kind: "certificate", steps: steps.length });
}

function verifyComposite(number: bigint, told: unknown): PrimeVerification {
  if (number < 2n) return verified(false, { kind: "definition" });
  if (told === undefined) return UNPROVEN;
  const witness = witnessOf(told);
  if (!witness || !isCompositeBy(number, witness)) return FALSE;
  return verified(
    false,
    "factor" in witness
      ? { kind: "factor", factor: witness.factor }
      : { kind: "witness", base: witness.base },
  );
}

function verified(prime: boolean, evidence: PrimeEvidence): PrimeVerification {
  return { verified: true, prime, evidence };
}

function witnessOf(value: unknown): CompositeWitness | undefined {
  const members = objectOf(value);
  const [factor, base] = [integer(members["factor"]), integer(members["base"])];
  if (factor !== undefined) return base === undefined ? { factor } : undefined;
  return base === undefined ? undefined : { base };
}

function stepsOf(value: unknown): PrattStep[] | undefined {
  const { type, steps } = objectOf(value);
  if (type !== "pratt") return undefined;
  return listOf(steps, (step): PrattStep | undefined => {
    const members = objectOf(step);
    const [prime, base] = [integer(members["prime"]), integer(members["base"])];
    const factors = listOf(members["factors"], integer);
    return prime === undefined || base === undefined || !factors
      ? undefined
      : { prime, base, factors };
  });
}

/** Every item as `read` reads it, or undefined if one cannot be read or there are very many. */
function listOf<T>(value: unknown, read: (item: unknown) => T | undefined): T[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_PRIME_BITS) return undefined;
  const items = value.map(read);
  return items.every((item) => item !== undefined) ? items : undefined;
}

/** An exact integer of up to 4,096 bits, as a number or a string of digits. */
function integer(value: unknown): bigint | undefined {
  let exact: bigint | undefined;
  if (typeof value === "bigint") exact = value;
  else if (Number.isSafeInteger(value)) exact = BigInt(value as number);
  else if (typeof value === "string" && value.length <= MAX_LENGTH && DECIMAL_INTEGER.test(value)) {
    exact = BigInt(value);
  }
  return exact === undefined || bitLength(exact) > MAX_PRIME_BITS ? undefined : exact;
}

/** Its members, or none if it is no object. */
function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : {};
}
