import { STATUS_CODES } from "node:http";

import { OWN_MESSAGE } from "../observe/own-message.ts";

/**
 * A failure told as a problem (RFC 9457), on the resource and the admin side. `errors.ts` is the one
 * place that turns it into an answer.
 */
export class ProblemError extends Error {
  readonly [OWN_MESSAGE] = true;
  readonly status: number;
  /** The slug of the problem's type, `urn:daykey:problem:<code>`; without one it is `about:blank`. */
  readonly code: string | undefined;
  readonly title: string;
  /** Fixed public text; it never holds what the caller sent. */
  readonly detail: string | undefined;
  /** A short reason code for the log alone. */
  readonly reason: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(options: {
    status: number;
    code?: string;
    title?: string;
    detail?: string;
    reason?: string;
    headers?: Record<string, string>;
    cause?: unknown;
  }) {
    const title = options.title ?? STATUS_CODES[options.status] ?? "Error";
    super(options.detail ?? title, { cause: options.cause });
    this.name = "ProblemError";
    this.status = options.status;
    this.code = options.code;
    this.title = title;
    this.detail = options.detail;
    this.reason = options.reason;
    this.headers = options.headers ?? {};
  }
}
