/**
 * Errors as the log may hold them. The message of a foreign error may quote what a caller sent (a
 * JSON parser, a database constraint), so type, code and frames are kept and the message is not.
 */
import { OWN_MESSAGE } from "@daykey/common/own-message";

export interface ErrorFields {
  type: string;
  /** Present only when the message is fixed text of ours. */
  message?: string;
  code?: string;
  stack?: string;
  cause?: ErrorFields;
}

const MAX_CAUSES = 3;
const CODE = /^\w{1,64}$/;
const FRAME = /^ {4}at .*(?::\d+:\d+|<anonymous>|native)\)?$/;

/** The fields of a log line with every error in them reduced, and `err` whatever was thrown. */
export function serializeErrors(fields: Record<string, unknown>): Record<string, unknown> {
  let reduced = fields;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (name !== "err" && !(value instanceof Error)) continue;
    reduced = { ...reduced, [name]: serializeError(value) };
  }
  return reduced;
}

/** Type, code, frames and causes of whatever was thrown; the message only of our own errors. */
function serializeError(thrown: unknown, depth = 0): ErrorFields {
  if (!(thrown instanceof Error)) return { type: typeof thrown };
  const fields: ErrorFields = { type: thrown.constructor.name };
  if (OWN_MESSAGE in thrown) fields.message = thrown.message;
  const code: unknown = "code" in thrown ? thrown.code : undefined;
  if (typeof code === "string" && CODE.test(code)) fields.code = code;
  const frames = framesOf(thrown);
  if (frames !== "") fields.stack = `${fields.type}\n${frames}`;
  if (thrown.cause !== undefined && depth < MAX_CAUSES) {
    fields.cause = serializeError(thrown.cause, depth + 1);
  }
  return fields;
}

/** The stack without its head. The message is cut out first, for a line of it may look like a frame. */
function framesOf({ message, stack = "" }: Error): string {
  const afterMessage = stack.slice(message === "" ? 0 : stack.indexOf(message) + message.length);
  return afterMessage
    .split("\n")
    .filter((line) => FRAME.test(line))
    .join("\n");
}
