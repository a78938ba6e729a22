/**
 * What the primes' routes take and answer. Requests are validated with these, the API's description is
 * made from them, and the tests hold the answers against them. In JSON an integer is a number of any
 * length, here a bigint, or a string of digits for callers whose parser rounds.
 */
import { DECIMAL_INTEGER } from "@daykey/common/integers";
import { z } from "zod";

import { isBounded } from "./decimal-integer.ts";

const MAX_NUMBERS = 1000;

/** The faults of an integer are told by their problems' codes. An infinity is one of very many digits. */
export const integer = z
  .union(
    [z.bigint().meta({ type: "integer" }), z.string().regex(DECIMAL_INTEGER, { abort: true })],
    {
      error: ({ input }) =>
        input === Infinity || input === -Infinity ? "number-too-large" : "invalid-number",
    },
  )
  .refine(isBounded, { error: "number-too-large" })
  .meta({
    description:
      "An exact integer of up to 4,096 bits: a JSON number, or a string of its decimal digits",
  });

const evidence =
  "Look for a certificate, if the number is prime, or for a factor, if it is not; both are found when that is cheap";

export const primeQuery = z.strictObject({
  certificate: z.enum(["true", "false"]).optional().meta({ description: evidence }),
});

export const primeRequest = z
  .strictObject({
    number: integer,
    certificate: z.boolean().optional().meta({ description: evidence }),
  })
  .meta({ description: "One number; one sent as a string is answered with strings" });

export const primesRequest = z
  .strictObject({
    numbers: z.array(integer).min(1).max(MAX_NUMBERS),
    certificate: z.boolean().optional().meta({ description: evidence }),
  })
  .meta({ description: "Up to 1,000 numbers; each sent as a string is answered with strings" });

export const factorWitness = z.strictObject({
  factor: integer.meta({ description: "Divides the number" }),
});
export const baseWitness = z.strictObject({
  base: integer.meta({ description: "Fails the strong test (Miller–Rabin)" }),
});
export const witness = z
  .union([factorWitness, baseWitness])
  .meta({ description: "Proves that the number is composite" });

export const certificate = z
  .strictObject({
    type: z.literal("pratt"),
    steps: z.array(
      z.strictObject({
        prime: integer,
        base: integer.meta({ description: "Has the order prime − 1 modulo the prime" }),
        factors: z.array(integer).meta({
          description: "The primes that divide prime − 1; each above 2^20 has a step of its own",
        }),
      }),
    ),
  })
  .meta({ description: "Proves that the number is prime" });

export const primeAnswer = z.strictObject({
  number: integer,
  prime: z.boolean(),
  certainty: z.enum(["proven", "probable"]),
  method: z
    .enum(["definition", "trial-division", "baillie-psw", "baillie-psw+miller-rabin", "pratt"])
    .meta({ description: "What settled it" }),
  error_bound: z.number().positive().optional().meta({
    description: "With probable: a composite gets this answer with at most this probability",
  }),
  witness: witness.optional(),
  certificate: certificate.optional(),
});

export const notReached = z
  .strictObject({ number: integer, problem: z.literal("time-limit") })
  .meta({ description: "Not reached within the time limit: ask again" });

/** One result for each number, in their order. */
export const primesAnswer = z.strictObject({
  results: z.array(z.union([primeAnswer, notReached])),
});
