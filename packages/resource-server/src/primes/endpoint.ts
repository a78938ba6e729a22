/**
 * `GET /primes/{n}` and `POST /primes`: is an integer of up to 4,096 bits prime? Numbers are read
 * and written losslessly (docs/protocol.md §4). The guard stands first in each route, so nobody
 * unauthenticated has a body parsed or a number checked.
 */
import { stringifyJson, type JsonValue } from "@daykey/common/json-numbers";
import { JSON_MEDIA_TYPE } from "@daykey/common/protocol";
import { readJson } from "@daykey/service/json-body";
import { ProblemError } from "@daykey/service/problem-error";
import {
  createRouter,
  type AppContext,
  type AppMiddleware,
  type AppRouter,
} from "@daykey/service/router";

import { boundedInteger, notAnInteger, parseDecimalInteger } from "./decimal-integer.ts";
import type { PrimeChecker } from "./prime-pool.ts";

export const PRIMES_SCOPE = "primes:check";
const BODY_LIMIT_BYTES = 4096;

export function createPrimesRouter({
  checker,
  requireScope,
}: {
  checker: PrimeChecker;
  requireScope: (scope: string) => AppMiddleware;
}): AppRouter {
  async function answer(ctx: AppContext, number: bigint): Promise<void> {
    const { prime, certainty, method, errorBound } = await checker.check(number, gone(ctx));
    const bound = errorBound === undefined ? {} : { error_bound: errorBound };
    ctx.type = JSON_MEDIA_TYPE;
    ctx.set("Cache-Control", "no-store");
    ctx.body = stringifyJson({ number, prime, certainty, method, ...bound });
  }

  const router = createRouter();
  router.get("/primes/:n", requireScope(PRIMES_SCOPE), (ctx) =>
    answer(ctx, parseDecimalInteger(ctx.params["n"] ?? "")),
  );
  router.post("/primes", requireScope(PRIMES_SCOPE), async (ctx) =>
    answer(ctx, readNumber(await readJson(ctx.req, { limitBytes: BODY_LIMIT_BYTES }))),
  );
  return router;
}

/** The integer in `{"number": N}`, where N is a JSON number or a string of digits. */
function readNumber(body: JsonValue): bigint {
  if (typeof body !== "object" || body === null || Object.keys(body).join() !== "number") {
    const detail = 'The body must be an object with the one member "number".';
    throw new ProblemError({ status: 400, code: "invalid-body", title: "Invalid body", detail });
  }
  const { number } = body as { number: JsonValue };
  if (typeof number === "bigint") return boundedInteger(number);
  if (typeof number === "string") return parseDecimalInteger(number);
  throw notAnInteger();
}

/** Aborted when the connection closes before the answer was written. */
export function gone({ res }: AppContext): AbortSignal {
  const controller = new AbortController();
  res.once("close", () => {
    // 499 is for the log alone, after nginx: there is nobody left to answer.
    const title = "Client closed the request";
    controller.abort(new ProblemError({ status: 499, title, reason: "client_gone" }));
  });
  return controller.signal;
}
