/** Conditional requests (RFC 9110 §13.1.1): `If-Match`, against updates that would be lost (A8). */
import { ProblemError } from "@daykey/service/http/problem-error";

/** Strong entity tags with their quotes; weak ones never match and are left out. */
export type IfMatch = "any" | readonly string[];

const ENTITY_TAG = /^(W\/)?"[\x21\x23-\x7e]*"$/;

/** @throws {ProblemError} 400 for a header that is no `If-Match` */
export function readIfMatch(header: string | undefined): IfMatch | undefined {
  if (header === undefined) return undefined;
  if (header.trim() === "*") return "any";
  const tags = header.split(",").map((tag) => tag.trim());
  if (!tags.every((tag) => ENTITY_TAG.test(tag))) {
    throw new ProblemError({
      status: 400,
      code: "invalid-if-match",
      title: "If-Match is neither * nor entity tags",
    });
  }
  return tags.filter((tag) => !tag.startsWith("W/"));
}

/** @throws {ProblemError} 412 when the resource is not as the caller saw it */
export function requireMatch(ifMatch: IfMatch | undefined, etag: string): void {
  if (ifMatch === undefined || ifMatch === "any" || ifMatch.includes(etag)) return;
  throw new ProblemError({
    status: 412,
    code: "changed-meanwhile",
    title: "It is not as If-Match says; read it again",
  });
}
/** RFC 6585 §3. */
export function preconditionRequired(): ProblemError {
  return new ProblemError({
    status: 428,
    code: "if-match-required",
    title: "If-Match is required: send the ETag that was read",
  });
}
