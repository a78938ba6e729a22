/**
 * The form of the token endpoints (RFC 6749 §3.2): `application/x-www-form-urlencoded`, read by hand
 * because a general parser turns a repeated parameter into a list and `a[b]` into an object, and
 * OAuth wants repetition refused.
 */
import type { IncomingMessage } from "node:http";

import { fromUtf8 } from "@daykey/common/bytes";
import { OAuthError } from "@daykey/common/oauth-error";
import { FORM_MEDIA_TYPE } from "@daykey/common/media-types";

import { BodyError, readBody } from "@daykey/service/http/body";
import { charsetOf, isReadAs } from "@daykey/service/http/media-type";

/** Parameters by name. An empty value counts as absent (RFC 6749 §3.2), so it is not in here. */
export type TokenForm = ReadonlyMap<string, string>;

/** An access token of 8,192 characters, an assertion, and room for the rest. */
const FORM_LIMIT_BYTES = 16_384;

const CONTROL = /\p{Cc}/u;

/** Text that percent-decoding leaves as it is; most forms are nothing else. */
const PLAIN = /^[\w.~*&=-]*$/;

/**
 * @throws {OAuthError} `invalid_request`: 413 past 16 KiB, 415 for another media type or charset, 400
 * for malformed encoding, control characters or a parameter given twice.
 */
export async function readForm(req: IncomingMessage): Promise<TokenForm> {
  const charset = charsetOf(req, FORM_MEDIA_TYPE);
  if (charset === undefined) throw notAForm();
  const bytes = await readBytes(req);
  if (!isReadAs(charset, bytes)) throw notAForm();
  return parseForm(decodeUtf8(bytes));
}

function notAForm(): OAuthError {
  return refusal("The request body must be application/x-www-form-urlencoded in UTF-8.", 415);
}

function parseForm(text: string): TokenForm {
  const seen = new Set<string>();
  const form = new Map<string, string>();
  const decode = PLAIN.test(text) ? (part: string) => part : decodePart;
  for (const pair of text.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decode(equals === -1 ? pair : pair.slice(0, equals));
    const value = equals === -1 ? "" : decode(pair.slice(equals + 1));
    if (seen.has(name)) throw refusal("A parameter is given more than once.");
    seen.add(name);
    if (value !== "") form.set(name, value);
  }
  return form;
}

function decodePart(part: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(part.replaceAll("+", " "));
  } catch {
    throw refusal("The request body is not correctly percent-encoded UTF-8.");
  }
  if (CONTROL.test(decoded)) throw refusal("A parameter holds a control character.");
  return decoded;
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return fromUtf8(bytes);
  } catch {
    throw refusal("The request body is not correctly percent-encoded UTF-8.");
  }
}

async function readBytes(req: IncomingMessage): Promise<Buffer> {
  try {
    return await readBody(req, FORM_LIMIT_BYTES);
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    if (error.reason === "too_large") throw refusal("The request body is larger than 16 KiB.", 413);
    throw refusal("The request body was cut short.");
  }
}

function refusal(description: string, status = 400): OAuthError {
  return new OAuthError("invalid_request", description, { status });
}
