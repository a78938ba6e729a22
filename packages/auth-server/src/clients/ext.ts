/**
 * The claims of `ext` as an operator sets them, on a client or on a rule of trust (docs/protocol.md §2.3).
 * They are for services alone; nothing here reads one.
 */
import type { Ext, ExtValue } from "@daykey/common/access-token";

/** In UTF-8, as JSON without spaces. They stand in every access token, which must fit a header. */
const MAX_EXT_BYTES = 2048;
const MAX_DEPTH = 4;
const NAME = /^[^\p{Cc}]{1,128}$/u;
const CONTROL = /\p{Cc}/u;

/** Whoever copies members into an object of its own could change what that object is. */
const NAMES_OF_PROTOTYPES = ["__proto__", "constructor", "prototype"];

/** What means something beside `ext`, so that nobody who flattens a token takes one for the other. */
const RESERVED = new Set(
  `iss sub aud exp nbf iat jti client_id scope cnf act may_act gid ep cred quota workload anc ext azp nonce
  auth_time acr amr sid events active token_type username authorization_details`.split(/\s+/),
);

/** What a template begins with: `${repository}`. */
export const TEMPLATE_OPENS = "${";

/** Why a client cannot have these claims, or undefined. It has nothing to fill a template from. */
export function clientExtFault(ext: Ext): string | undefined {
  return textsIn(ext).some((text) => text.includes(TEMPLATE_OPENS))
    ? "must have no ${…}: only a rule of trust fills that in"
    : extFault(ext);
}

/** What JSON of the claims must be and is not, or undefined; templates are text here. */
export function extFault(ext: unknown): string | undefined {
  if (!isObject(ext)) return "must be an object";
  const reserved = Object.keys(ext).find((name) => RESERVED.has(name));
  if (reserved !== undefined) return `must not have ${reserved}, a claim of the token's own`;
  return valueFault(ext, 1) ?? (isTooLong(ext) ? TOO_LONG : undefined);
}

const TOO_LONG = `must have at most ${MAX_EXT_BYTES} bytes as JSON`;

export function isTooLong(ext: Ext): boolean {
  return Buffer.byteLength(JSON.stringify(ext)) > MAX_EXT_BYTES;
}

function isObject(value: unknown): value is Ext {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** All texts, names left out. */
export function textsIn(value: ExtValue): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values<ExtValue>(value).flatMap(textsIn);
}

function valueFault(value: unknown, depth: number): string | undefined {
  if (typeof value === "string") {
    return isText(value) ? undefined : "must have no control characters in a text";
  }
  if (typeof value === "boolean" || value === null) return undefined;
  if (typeof value !== "object") {
    // A fraction, or an integer beyond 2^53, is not the same to every reader.
    return Number.isSafeInteger(value) ? undefined : "must have whole numbers below 2^53 alone";
  }
  if (depth > MAX_DEPTH) return `must be at most ${MAX_DEPTH} deep`;
  if (!Array.isArray(value) && !Object.keys(value).every(isName)) {
    return "must have names of 1 to 128 characters, none of them __proto__ or the like";
  }
  for (const member of Object.values(value) as unknown[]) {
    const fault = valueFault(member, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function isName(name: string): boolean {
  return NAME.test(name) && name.isWellFormed() && !NAMES_OF_PROTOTYPES.includes(name);
}

function isText(text: string): boolean {
  return !CONTROL.test(text) && text.isWellFormed();
}
