/** Reading what a caller sent into what a route takes; all that does not fit is refused (A3). */
import type { z } from "zod";
import type { JsonValue } from "@daykey/common/json-numbers";
import { readInput } from "@daykey/service/http/input-faults";
import { problem } from "@daykey/service/http/problem-error";

/** @throws {ProblemError} 400 that names the members at fault, never what stood there */
export function readBody(schema: z.ZodType, json: JsonValue): unknown {
  const read = readInput(schema, toPlain(json), "the body");
  if ("data" in read) return read.data;
  throw problem("invalid-body", { detail: read.faults });
}

/** Exact integers as numbers where they are safe; others stay what no schema takes. */
function toPlain(json: JsonValue): unknown {
  if (typeof json === "bigint") {
    const number = Number(json);
    return Number.isSafeInteger(number) ? number : json;
  }
  if (typeof json === "number") return Number.isInteger(json) ? NaN : json;
  if (Array.isArray(json)) return json.map(toPlain);
  if (typeof json !== "object" || json === null) return json;
  const plain = Object.create(null) as Record<string, unknown>;
  for (const [name, member] of Object.entries(json)) plain[name] = toPlain(member);
  return plain;
}
