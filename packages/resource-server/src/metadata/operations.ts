/** The operations of this resource as data, for its OpenAPI document; examples are real answers. */
import { DECIMAL_INTEGER } from "@daykey/common/integers";
import { z } from "zod";
import { PRIMES_SCOPE } from "../primes/endpoint.ts";
import {
  baseWitness,
  certificate,
  factorWitness,
  notReached,
  primeAnswer,
  primeQuery,
  primeRequest,
  primesAnswer,
  primesRequest,
  witness,
} from "../primes/schema.ts";
import { articleFailure, currentTime, primeQuestion, primeVerdict } from "../seed/schema.ts";
import { TIME_SCOPE } from "../time/endpoint.ts";
import { timeAnswer, timeQuery } from "../time/schema.ts";

export interface Operation {
  method: "get" | "post";
  path: string;
  operationId: string;
  tag: "time" | "primes" | "articles";
  summary: string;
  /** Markdown. */
  description?: string;
  scope: keyof typeof SCOPES;
  params?: Readonly<Record<string, z.ZodType>>;
  query?: z.ZodObject;
  /** Examples by what they show. */
  body?: { schemas: readonly z.ZodType[]; examples: Readonly<Record<string, unknown>> };
  /** It is of one of the schemas. */
  answer: { schemas: readonly z.ZodType[]; example: unknown };
  /** Statuses of failures that are its own. */
  failures?: readonly number[];
  /** Whether it tells failures as the articles do. */
  isArticle?: boolean;
}

export const SCOPES = {
  [TIME_SCOPE]: "Ask for the time",
  [PRIMES_SCOPE]: "Ask about numbers",
} as const;

/** The schemas that have names. */
export const COMPONENTS = {
  Time: timeAnswer,
  PrimeRequest: primeRequest,
  PrimesRequest: primesRequest,
  Prime: primeAnswer,
  Primes: primesAnswer,
  NotReached: notReached,
  Witness: witness,
  FactorWitness: factorWitness,
  BaseWitness: baseWitness,
  Certificate: certificate,
  CurrentTime: currentTime,
  PrimeQuestion: primeQuestion,
  PrimeVerdict: primeVerdict,
  ArticleFailure: articleFailure,
};

const MERSENNE_127 = "170141183460469231731687303715884105727";
const PROVEN = { certainty: "proven", method: "trial-division" } as const;

const n = (example: string): Record<"n", z.ZodType> => ({
  n: z
    .string()
    .regex(DECIMAL_INTEGER)
    .meta({ description: "An integer of up to 4,096 bits, in plain digits", examples: [example] }),
});

const primes = {
  tag: "primes",
  scope: PRIMES_SCOPE,
  query: primeQuery,
} as const;

export const OPERATIONS: readonly Operation[] = [
  {
    method: "get",
    path: "/time",
    operationId: "getTime",
    tag: "time",
    summary: "The time, in UTC and in a zone of your choice",
    scope: TIME_SCOPE,
    query: timeQuery,
    answer: {
      schemas: [timeAnswer],
      example: {
        time: "2026-11-22T02:26:29.783Z",
        epoch_seconds: 1795314389.783,
        zone: "Europe/Paris",
        local: "2026-11-22T03:26:29.783+01:00",
      },
    },
  },
  {
    ...primes,
    method: "get",
    path: "/primes/{n}",
    operationId: "getPrime",
    summary: "Is this integer prime?",
    params: n("97"),
    answer: { schemas: [primeAnswer], example: { number: 97, prime: true, ...PROVEN } },
  },
  {
    ...primes,
    method: "get",
    path: "/primes/{n}/next",
    operationId: "getNextPrime",
    summary: "The least prime above an integer",
    params: n("97"),
    answer: { schemas: [primeAnswer], example: { number: 101, prime: true, ...PROVEN } },
    failures: [404],
  },
  {
    ...primes,
    method: "get",
    path: "/primes/{n}/previous",
    operationId: "getPreviousPrime",
    summary: "The greatest prime below an integer",
    params: n("97"),
    answer: { schemas: [primeAnswer], example: { number: 89, prime: true, ...PROVEN } },
    failures: [404],
  },
  {
    tag: "primes",
    scope: PRIMES_SCOPE,
    method: "post",
    path: "/primes",
    operationId: "checkPrimes",
    summary: "Is this integer prime, or each of up to 1,000?",
    description:
      "With `certificate`, what proves the answer is looked for too: a factor or a base, or a Pratt certificate.",
    body: {
      schemas: [primeRequest, primesRequest],
      examples: {
        "One number": { number: MERSENNE_127 },
        "Many, with what proves the answers": { numbers: [91, 97, 561], certificate: true },
      },
    },
    answer: {
      schemas: [primeAnswer, primesAnswer],
      example: {
        number: MERSENNE_127,
        prime: true,
        certainty: "probable",
        method: "baillie-psw+miller-rabin",
        error_bound: 5.421010862427522e-20,
      },
    },
  },
  {
    method: "post",
    path: "/get-current-time",
    operationId: "getCurrentTime",
    tag: "articles",
    summary: "The time, as the article's program asks for it",
    scope: TIME_SCOPE,
    answer: { schemas: [currentTime], example: { currentTime: "2026-11-22 02:26:29" } },
    isArticle: true,
  },
  {
    method: "post",
    path: "/check-prime",
    operationId: "checkPrime",
    tag: "articles",
    summary: "Is this integer prime, as the article's program asks",
    scope: PRIMES_SCOPE,
    body: { schemas: [primeQuestion], examples: { "A number": { number: 97 } } },
    answer: { schemas: [primeVerdict], example: { number: 97, isPrime: true } },
    isArticle: true,
  },
];
