/** Reading a query into what a route takes: unknown and repeated parameters are refused (H5). */
import { problem, type ProblemError } from "@daykey/service/http/problem-error";
import type { z } from "zod";

/** Parameters of a signed URL are the guard's to judge (`access`). */
const SIGNED_URL_PREFIX = "dk-";

/** @throws {ProblemError} 400 `invalid-query` that names the parameter, if it is a known one */
export function readQuery<T extends z.ZodObject>(schema: T, search: string): z.output<T> {
  const members = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(search)) {
    if (name in members) throw invalid("A query parameter must not appear twice.");
    members[name] = value;
  }
  for (const name of Object.keys(members)) {
    if (name.startsWith(SIGNED_URL_PREFIX)) delete members[name];
  }
  const result = schema.safeParse(members);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue === undefined || issue.code === "unrecognized_keys") {
    throw invalid("The query has a parameter that is not known here.");
  }
  throw invalid(`The query parameter ${issue.path.join(".")} is not acceptable.`);
}

function invalid(detail: string): ProblemError {
  return problem("invalid-query", { detail });
}
