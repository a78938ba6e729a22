/** JSON request bodies of the resource and the admin side, as strict as the form reader. */
import type { IncomingMessage } from "node:http";

import { fromUtf8 } from "@daykey/common/bytes";
import { JsonSyntaxError, type JsonValue, parseJson } from "@daykey/common/json-numbers";
import { JSON_MEDIA_TYPE } from "@daykey/common/media-types";

import { BodyError, readBody } from "./body.ts";
import { charsetOf, isReadAs } from "./media-type.ts";
import { problem, type ProblemError } from "./problem-error.ts";

/** RFC 7396. */
export const MERGE_PATCH_MEDIA_TYPE = "application/merge-patch+json";

/** What a PATCH may be (RFC 5789 §3.1). */
const ACCEPT_PATCH = `${MERGE_PATCH_MEDIA_TYPE}, ${JSON_MEDIA_TYPE}`;

/**
 * Integers come as bigint, `30.0` and `3e1` too, one of more than 5,000 digits as an infinity, for its
 * reader to refuse by its place; duplicate keys, depth above 8, more than 10,000 values, control characters
 * and invalid UTF-8 are refused. A PATCH may also be called a merge patch. @throws {ProblemError} 413 past `limitBytes`, 415 for another media type or charset, 400
 * for what is not such JSON.
 */
export async function readJson(
  req: IncomingMessage,
  { limitBytes }: { limitBytes: number },
): Promise<JsonValue> {
  const charset =
    charsetOf(req, JSON_MEDIA_TYPE) ??
    (req.method === "PATCH" ? charsetOf(req, MERGE_PATCH_MEDIA_TYPE) : undefined);
  if (charset === undefined) throw notJson(req);
  const bytes = await readContent(req, limitBytes);
  if (!isReadAs(charset, bytes)) throw notJson(req);
  const text = decodeUtf8(bytes);
  try {
    return parseJson(text, { longIntegers: "infinite" });
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    const { message, offset } = error;
    const why = `${message.charAt(0).toLowerCase()}${message.slice(1)}, at character ${offset + 1}`;
    throw problem("invalid-json", { detail: `The request body is not acceptable JSON: ${why}.` });
  }
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return fromUtf8(bytes);
  } catch {
    throw problem("invalid-json", { detail: "The request body is not UTF-8." });
  }
}

/** The body's bytes, whatever they are. @throws {ProblemError} 413 past `limitBytes`, 400 when cut short */
export async function readContent(req: IncomingMessage, limitBytes: number): Promise<Buffer> {
  try {
    return await readBody(req, limitBytes);
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    if (error.reason === "too_large") {
      throw problem("body-too-large", {
        detail: `The request body is larger than ${limitBytes} bytes.`,
      });
    }
    throw problem("body-cut-short", { detail: "The request body was cut short." });
  }
}

function notJson({ method }: IncomingMessage): ProblemError {
  return problem("unsupported-media-type", {
    detail: "The request body must be JSON in UTF-8.",
    headers: method === "PATCH" ? { "Accept-Patch": ACCEPT_PATCH } : {},
  });
}
