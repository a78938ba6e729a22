/** What is known of a number as the JSON that is answered. */
import type { JsonObject, JsonValue } from "@daykey/common/json-numbers";

import type { Found } from "./is-prime.ts";

/** How integers are written: as they are, or as strings for a caller who sent a string. */
export type WriteInteger = (n: bigint) => JsonValue;

export function writerLike(sent: bigint | string): WriteInteger {
  return typeof sent === "string" ? String : (n) => n;
}

export function viewOf(found: Found, write: WriteInteger): JsonObject {
  const { number, prime, certainty, method, errorBound, witness, certificate } = found;
  return {
    number: write(number),
    prime,
    certainty,
    method,
    ...(errorBound !== undefined && { error_bound: errorBound }),
    ...(witness && {
      witness:
        "factor" in witness ? { factor: write(witness.factor) } : { base: write(witness.base) },
    }),
    ...(certificate && {
      certificate: {
        type: certificate.type,
        steps: certificate.steps.map((step) => ({
          prime: write(step.prime),
          base: write(step.base),
          factors: step.factors.map(write),
        })),
      },
    }),
  };
}
