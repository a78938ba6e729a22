/** Reading what a caller sent into what a route takes; all that does not fit is refused (A3). */
import type { z } from "zod";
import type { JsonValue } from "@daykey/common/json-numbers";
import { problem } from "@daykey/service/http/problem-error";

/** Faults named in one answer. */
const MAX_FAULTS = 5;

/** @throws {ProblemError} 400 that names the members at fault, never what stood there */
export function readBody(schema: z.ZodType, json: JsonValue): unknown {
  return check(schema, toPlain(json), { code: "invalid-body", whole: "the body" });
}

/** @throws {ProblemError} 400 as `readBody`, and for a name that is there twice */
export function readQuery(schema: z.ZodObject, search: string): unknown {
  const members = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(search)) {
    if (name in members) {
      throw problem("invalid-query", { detail: "A parameter is there twice." });
    }
    members[name] = value;
  }
  return check(schema, members, { code: "invalid-query", whole: "the query" });
}

function check(
  schema: z.ZodType,
  value: unknown,
  { code, whole }: { code: "invalid-body" | "invalid-query"; whole: string },
): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.slice(0, MAX_FAULTS).map((issue) => {
    // Paths hold names of the schema and indices: an unknown member is a fault of what holds it.
    const place = issue.path.length === 0 ? whole : issue.path.join(".");
    return issue.code === "unrecognized_keys"
      ? `${place}: has a member that is not known here`
      : `${place}: ${issue.message}`;
  });
  throw problem(code, { detail: faults.join("; ") });
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
