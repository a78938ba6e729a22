/** Conditional requests (RFC 9110 §13.1.1): `If-Match`, against updates that would be lost (A8). */
import { problem, type ProblemError } from "@daykey/service/http/problem-error";

/** Strong entity tags with their quotes; weak ones never match and are left out. */
export type IfMatch = "any" | readonly string[];

const ENTITY_TAG = /^(W\/)?"[\x21\x23-\x7e]*"$/;

/** @throws {ProblemError} 400 for a header that is no `If-Match` */
export function readIfMatch(header: string | undefined): IfMatch | undefined {
  if (header === undefined) return undefined;
  if (header.trim() === "*") return "any";
  const tags = header.split(",").map((tag) => tag.trim());
  if (!tags.every((tag) => ENTITY_TAG.test(tag))) {
    throw problem("invalid-if-match");
  }
  return tags.filter((tag) => !tag.startsWith("W/"));
}

/** @throws {ProblemError} 412 when the resource is not as the caller saw it */
export function requireMatch(ifMatch: IfMatch | undefined, etag: string): void {
  if (ifMatch === undefined || ifMatch === "any" || ifMatch.includes(etag)) return;
  throw problem("changed-meanwhile");
}
/** RFC 6585 §3. */
export function preconditionRequired(): ProblemError {
  return problem("if-match-required");
}
