/**
 * What is worth some work when a caller asks for it: for a prime a certificate (Pratt), for a
 * composite a factor in the place of a Miller–Rabin base. Both within a budget; without luck the
 * answer stays what it was.
 */
import { jacobi } from "@daykey/common/integers";
import {
  hasFullOrder,
  isPrimeBy,
  type PrattStep,
  type PrimeCertificate,
  TRIAL_DIVISION_BELOW,
} from "@daykey/common/prime-certificate";

import { type Budget, createBudget, findFactor, primeFactors } from "./factor.ts";
import { type Found, SMALL_PRIMES } from "./is-prime.ts";

/** The number with what could be found for it. */
export function withEvidence(found: Found): Found {
  const { number, prime, witness } = found;
  if (prime) {
    const certificate = number < TRIAL_DIVISION_BELOW ? undefined : certify(number);
    if (!certificate) return found;
    return { number, prime, certainty: "proven", method: "pratt", certificate };
  }
  if (!witness || "factor" in witness) return found;
  const factor = findFactor(number, createBudget());
  return factor === undefined ? found : { ...found, witness: { factor } };
}

/**
 * A certificate of the prime n ≥ 2^20, or undefined when n − 1, or p − 1 for a prime p in it, cannot
 * be factored within the budget. It is handed out only if the verifier of `common` accepts it: that
 * is what "proven" rests on, not this search.
 */
function certify(n: bigint): PrimeCertificate | undefined {
  const budget = createBudget();
  const steps = new Map<bigint, PrattStep>();
  const pending = [n];
  for (let prime = pending.pop(); prime !== undefined; prime = pending.pop()) {
    if (steps.has(prime)) continue;
    const step = stepOf(prime, budget);
    if (!step) return undefined;
    steps.set(prime, step);
    pending.push(...step.factors.filter((factor) => factor >= TRIAL_DIVISION_BELOW));
  }
  const certificate: PrimeCertificate = { type: "pratt", steps: [...steps.values()] };
  return isPrimeBy(n, certificate) ? certificate : undefined;
}

function stepOf(prime: bigint, budget: Budget): PrattStep | undefined {
  const factors = primeFactors(prime - 1n, budget);
  if (!factors) return undefined;
  // A primitive root is no square: that halves the candidates for nothing.
  const base = SMALL_PRIMES.find(
    (candidate) => jacobi(candidate, prime) === -1 && hasFullOrder(candidate, prime, factors),
  );
  return base === undefined ? undefined : { prime, base, factors };
}
