/** What the articles' routes take and answer; `metadata/openapi.ts` describes them by the same schemas. */
import { z } from "zod";
import { integer } from "../primes/schema.ts";

export const currentTime = z.strictObject({
  currentTime: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/)
    .meta({ description: "UTC" }),
});
export type CurrentTime = z.infer<typeof currentTime>;

/** Other members are ignored, as the articles' server does. */
export const primeQuestion = z.object({
  number: integer,
});

export const primeVerdict = z.strictObject({ number: z.bigint(), isPrime: z.boolean() });
export type PrimeVerdict = z.infer<typeof primeVerdict>;

export const articleFailure = z.strictObject({ error: z.string() });
