/** JSON request bodies of the resource and the admin side, as strict as the form reader. */
import type { IncomingMessage } from "node:http";

import { fromUtf8 } from "@daykey/common/bytes";
import { JsonSyntaxError, type JsonValue, parseJson } from "@daykey/common/json-numbers";
import { JSON_MEDIA_TYPE } from "@daykey/common/protocol";

import { BodyError, readBody } from "./body.ts";
import { isMediaType } from "./media-type.ts";
import { ProblemError } from "./problem-error.ts";

/**
 * Integers come as bigint; duplicate keys, depth above 8, control characters and invalid UTF-8 are
 * refused. @throws {ProblemError} 413 past `limitBytes`, 415 for another media type or charset, 400
 * for what is not such JSON.
 */
export async function readJson(
  req: IncomingMessage,
  { limitBytes }: { limitBytes: number },
): Promise<JsonValue> {
  if (!isMediaType(req, JSON_MEDIA_TYPE)) {
    throw refusal(415, "unsupported-media-type", "The request body must be JSON in UTF-8.");
  }
  const text = decodeUtf8(await readContent(req, limitBytes));
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw refusal(400, "invalid-json", "The request body is not acceptable JSON.");
  }
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return fromUtf8(bytes);
  } catch {
    throw refusal(400, "invalid-json", "The request body is not UTF-8.");
  }
}

/** The body's bytes, whatever they are. @throws {ProblemError} 413 past `limitBytes`, 400 when cut short */
export async function readContent(req: IncomingMessage, limitBytes: number): Promise<Buffer> {
  try {
    return await readBody(req, limitBytes);
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    if (error.reason === "too_large") {
      throw refusal(413, "body-too-large", `The request body is larger than ${limitBytes} bytes.`);
    }
    throw refusal(400, "body-cut-short", "The request body was cut short.");
  }
}

function refusal(status: number, code: string, detail: string): ProblemError {
  return new ProblemError({ status, code, detail });
}
