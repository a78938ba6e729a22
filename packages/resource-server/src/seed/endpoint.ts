/**
 * `POST /get-current-time` and `POST /check-prime`: time and primes in the shape of the articles that
 * this product grew from, errors included (docs/protocol.md §4.9). Guards and answers are those of
 * `/time` and `/primes`; only the words differ.
 */
import type { Clock } from "@daykey/common/clock";
import { type JsonValue, stringifyJson } from "@daykey/common/json-numbers";
import { answerJson } from "@daykey/service/http/json-answer";
import { readJson } from "@daykey/service/http/json-body";
import { problem } from "@daykey/service/http/problem-error";
import {
  type AppMiddleware,
  type AppRouter,
  createRouter,
  type ErrorBody,
} from "@daykey/service/http/router";
import type { RequireScope } from "../guarded.ts";
import { notAnInteger, tooLarge } from "../primes/decimal-integer.ts";
import { askerOf, PRIMES_SCOPE } from "../primes/endpoint.ts";
import type { PrimeChecker } from "../primes/prime-pool.ts";
import { TIME_SCOPE } from "../time/endpoint.ts";
import type { RouteQuota } from "@daykey/guard/quota/policy";
import { SENTENCES } from "./sentences.ts";
import { type CurrentTime, primeQuestion, type PrimeVerdict } from "./schema.ts";

const BODY_BYTES = 4096;

export function createSeedRouter({
  clock,
  checker,
  requireScope,
  dailyLimit,
}: {
  clock: Clock;
  checker: PrimeChecker;
  requireScope: RequireScope;
  /** Requests a day for each credential, over both routes together; 0: no limit. */
  dailyLimit: number;
}): AppRouter {
  const limit: RouteQuota | undefined =
    dailyLimit === 0
      ? undefined
      : { name: "articles", quota: { limit: dailyLimit, window: "day" } };
  const router = createRouter();
  // Its body says nothing: the article's client sends an empty one as JSON.
  router.post("/get-current-time", ownErrors, requireScope(TIME_SCOPE, { quota: limit }), (ctx) => {
    const [date, time] = new Date(clock() * 1000).toISOString().split(/[T.]/);
    answerJson(ctx, stringifyJson({ currentTime: `${date} ${time}` } satisfies CurrentTime));
  });
  router.post(
    "/check-prime",
    ownErrors,
    requireScope(PRIMES_SCOPE, { quota: limit }),
    async (ctx) => {
      const number = readNumber(await readJson(ctx.req, { limitBytes: BODY_BYTES }));
      const { prime } = await checker.check(number, askerOf(ctx));
      answerJson(ctx, stringifyJson({ number, isPrime: prime } satisfies PrimeVerdict));
    },
  );
  return router;
}

const ownErrors: AppMiddleware = (ctx, next) => {
  ctx.state.errorBody = articleError;
  return next();
};

const articleError: ErrorBody = ({ status, title, detail }) => ({
  error: SENTENCES[status] ?? detail ?? title,
});

/** @throws {ProblemError} 400 */
function readNumber(body: JsonValue): bigint {
  const question = primeQuestion.safeParse(body);
  if (question.success) return BigInt(question.data.number);
  if (question.error.issues.some(({ message }) => message === "number-too-large")) throw tooLarge();
  if (typeof body === "object" && body !== null && "number" in body) throw notAnInteger();
  const detail = 'The body must be an object with the member "number".';
  throw problem("invalid-body", { detail });
}
