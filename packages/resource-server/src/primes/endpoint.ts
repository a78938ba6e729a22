/**
 * Primes (docs/protocol.md §4.12): is an integer of up to 4,096 bits prime, are many, which one is next
 * or previous? Numbers are read and written losslessly. The guard stands first in each route, so nobody
 * unauthenticated has a body parsed or a number checked.
 */
import { setImmediate } from "node:timers/promises";
import { type JsonValue, stringifyJson } from "@daykey/common/json-numbers";
import { answerJson } from "@daykey/service/http/json-answer";
import { readJson } from "@daykey/service/http/json-body";
import { gone } from "@daykey/service/http/gone";
import { problem, type ProblemError } from "@daykey/service/http/problem-error";
import {
  createRouter,
  type AppContext,
  type AppMiddleware,
  type AppRouter,
} from "@daykey/service/http/router";

import { readQuery } from "../query.ts";
import { parseDecimalInteger } from "./decimal-integer.ts";
import { readQuestion } from "./input.ts";
import type { Asker, PrimeChecker } from "./prime-pool.ts";
import { primeQuery } from "./schema.ts";
import { viewOf, writerLike } from "./view.ts";

export const PRIMES_SCOPE = "primes:check";

/** Enough for 1,000 strings of 1,234 digits. */
const BODY_LIMIT_BYTES = 1_280_000;

export function createPrimesRouter({
  checker,
  requireScope,
}: {
  checker: PrimeChecker;
  requireScope: (scope: string) => AppMiddleware;
}): AppRouter {
  const guard = requireScope(PRIMES_SCOPE);
  const router = createRouter();

  router.get("/primes/:n", guard, async (ctx) => {
    const { number, options } = readTarget(ctx.querystring, ctx.params["n"]);
    answer(ctx, viewOf(await checker.check(number, askerOf(ctx), options), asNumber));
  });

  for (const direction of ["next", "previous"] as const) {
    router.get(`/primes/:n/${direction}`, guard, async (ctx) => {
      const { number, options } = readTarget(ctx.querystring, ctx.params["n"]);
      const found = await checker.find(direction, number, askerOf(ctx), options);
      if (!found) throw noSuchPrime();
      answer(ctx, viewOf(found, asNumber));
    });
  }

  router.post("/primes", guard, async (ctx) => {
    const question = readQuestion(await readJson(ctx.req, { limitBytes: BODY_LIMIT_BYTES }));
    const options = { evidence: question.certificate === true };
    if ("number" in question) {
      const { number } = question;
      const found = await checker.check(BigInt(number), askerOf(ctx), options);
      answer(ctx, viewOf(found, writerLike(number)));
      return;
    }
    const { numbers } = question;
    const findings = await checker.checkAll(numbers.map(BigInt), askerOf(ctx), options);
    const results: string[] = [];
    for (const [index, number] of numbers.entries()) {
      const found = findings[index];
      const write = writerLike(number);
      const view = found
        ? viewOf(found, write)
        : { number: write(BigInt(number)), problem: "time-limit" };
      results.push(stringifyJson(view));
      // The digits of 1,000 large numbers take 50 ms: others have their turn in between.
      if (index % 50 === 49) await setImmediate();
    }
    answerJson(ctx, `{"results":[${results.join()}]}`);
  });
  return router;
}

/** The threads are shared fairly by client. */
export function askerOf(ctx: AppContext): Asker {
  const { clientId } = ctx.state;
  if (clientId === undefined) throw new TypeError("askerOf: the guard has let nobody through");
  return { client: clientId, signal: gone(ctx) };
}

const asNumber = (n: bigint): bigint => n;

/** What a query and a path ask. */
function readTarget(search: string, n = ""): { number: bigint; options: { evidence: boolean } } {
  const { certificate } = readQuery(primeQuery, search);
  return { number: parseDecimalInteger(n), options: { evidence: certificate === "true" } };
}

function answer(ctx: AppContext, value: JsonValue): void {
  answerJson(ctx, stringifyJson(value));
}

function noSuchPrime(): ProblemError {
  const detail = "There is no such prime: the smallest is 2, and the search ends at 4096 bits.";
  return problem("no-such-prime", { detail });
}
