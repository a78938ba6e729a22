/** Reading a query into what a route takes: unknown and repeated parameters are refused (H5). */
import { readQuery as readAnyQuery } from "@daykey/service/http/input-faults";
import type { z } from "zod";

/** Parameters of a signed URL are the guard's to judge (`access`). */
const SIGNED_URL_PREFIX = "dk-";

/** @throws {ProblemError} 400 `invalid-query` that names the parameter, if it is a known one */
export function readQuery<T extends z.ZodObject>(schema: T, search: string): z.output<T> {
  return readAnyQuery(schema, search, { except: SIGNED_URL_PREFIX });
}
