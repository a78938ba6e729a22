import { STATUS_CODES } from "node:http";

import { type ProblemCode, PROBLEMS } from "@daykey/common/problems";

import { OWN_MESSAGE } from "@daykey/common/own-message";

/**
 * A failure told as a problem (RFC 9457), on the resource and the admin side. `errors.ts` is the one
 * place that turns it into an answer.
 */
export class ProblemError extends Error {
  readonly [OWN_MESSAGE] = true;
  readonly status: number;
  /** The slug of the problem's type, `urn:daykey:problem:<code>`; without one it is `about:blank`. */
  readonly code: ProblemCode | undefined;
  readonly title: string;
  /** Fixed public text; it never holds what the caller sent. */
  readonly detail: string | undefined;
  /** A short reason code for the log alone. */
  readonly reason: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  /** @param kind a problem of the table, or a status alone, whose type is then `about:blank` */
  constructor(kind: ProblemCode | number, options: ProblemOptions = {}) {
    const [status, title] =
      typeof kind === "number"
        ? [kind, options.title ?? STATUS_CODES[kind] ?? "Error"]
        : PROBLEMS[kind];
    super(options.detail ?? title, { cause: options.cause });
    this.name = "ProblemError";
    this.status = status;
    this.code = typeof kind === "number" ? undefined : kind;
    this.title = title;
    this.detail = options.detail;
    this.reason = options.reason;
    this.headers = options.headers ?? {};
  }
}

interface ProblemOptions {
  /** Title of a problem that is a status alone. */
  title?: string;
  detail?: string;
  reason?: string;
  headers?: Record<string, string>;
  cause?: unknown;
}

/** A problem, to be thrown. Its status and title stand in `@daykey/common/problems`. */
export function problem(kind: ProblemCode | number, options?: ProblemOptions): ProblemError {
  return new ProblemError(kind, options);
}
