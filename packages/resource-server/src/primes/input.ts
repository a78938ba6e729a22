/** Reading what a caller sent into what a route takes; all that does not fit is refused. */
import type { JsonValue } from "@daykey/common/json-numbers";
import { problem } from "@daykey/service/http/problem-error";
import type { z } from "zod";

import { notAnInteger, tooLarge } from "./decimal-integer.ts";
import { primeRequest, primesRequest } from "./schema.ts";

export type Question = z.output<typeof primeRequest> | z.output<typeof primesRequest>;

/** @throws {ProblemError} 400 `invalid-number`, `number-too-large` or `invalid-body` */
export function readQuestion(body: JsonValue): Question {
  const members = typeof body === "object" && body !== null ? body : {};
  const isBatch = "numbers" in members;
  const result = (isBatch ? primesRequest : primeRequest).safeParse(body);
  if (result.success) return result.data;
  for (const { message, path } of result.error.issues) {
    const place = isBatch ? `${path.join(".")}: ` : "";
    if (message === "invalid-number" && (isBatch || "number" in members)) throw notAnInteger(place);
    if (message === "number-too-large") throw tooLarge(place);
  }
  const detail =
    'The body must be an object with the member "number", or "numbers" with a list of 1 to 1,000; ' +
    'it may have "certificate", true or false.';
  throw problem("invalid-body", { detail });
}
