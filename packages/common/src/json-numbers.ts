/**
 * JSON (RFC 8259) with exact integers. `JSON.parse` rounds every number to a double and keeps the
 * last of two equal member names; a server that must answer for the very integer it was sent, and
 * must never disagree with a proxy about which member counts, can use neither.
 *
 * Stricter than the RFC, which lets a receiver set limits (§9) and calls duplicate names and lone
 * surrogates unpredictable (§4, §8.2): both are refused, and so is every control character inside
 * a string, escaped or not.
 */

/**
 * A number whose value is an integer is a bigint, however it is written: `30`, `30.0`, `3e1`, `-0`. Any
 * other is a double, the nearest that is finite.
 */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonValue[]
  | JsonObject;

/** As parsed it has no prototype, so `__proto__` and `constructor` are names like any other. */
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/** The text is not JSON, or beyond a limit. The message is fixed: it never holds what was sent. */
export class JsonSyntaxError extends Error {
  /** Where in the text, in UTF-16 code units from 0. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.name = "JsonSyntaxError";
    this.offset = offset;
  }
}

interface Reader {
  readonly text: string;
  readonly maxDepth: number;
  readonly maxDigits: number;
  readonly longIntegers: "refused" | "infinite";
  /** How many values may still begin. */
  valuesLeft: number;
  offset: number;
}

const WHITESPACE = /[ \t\n\r]*/y;
const NUMBER = /(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?/y;
const CONTROL = /\p{Cc}/u;
const LITERALS = [
  ["null", null],
  ["true", true],
  ["false", false],
] as const;

/**
 * Reads one JSON text.
 * `maxDepth` bounds nested arrays and objects (8 by default), and with them the recursion here.
 * `maxDigits` bounds the digits of one integer, all that `1e400000` stands for among them, because
 * `BigInt()` takes time quadratic in them (5,000 by default: 0.1 ms, and four times the 1,234 digits of
 * 4,096 bits). One beyond it is refused, or where `longIntegers` is "infinite" an infinity, which JSON
 * cannot express, so that a caller can tell a number too large from a text that is no JSON.
 * `maxValues` bounds the values in the text, each element and member among them (10,000 by default:
 * some milliseconds here, and a bound for whoever walks through them afterwards).
 * The length of the text is the caller's to bound.
 * @throws {JsonSyntaxError}
 */
export function parseJson(
  text: string,
  {
    maxDepth = 8,
    maxDigits = 5000,
    maxValues = 10_000,
    longIntegers = "refused",
  }: Partial<Pick<Reader, "maxDepth" | "maxDigits" | "longIntegers">> & { maxValues?: number } = {},
): JsonValue {
  const reader: Reader = {
    text,
    maxDepth,
    maxDigits,
    longIntegers,
    valuesLeft: maxValues,
    offset: 0,
  };
  const value = readValue(reader, 0);
  skipWhitespace(reader);
  if (reader.offset !== text.length) throw unexpected(reader);
  return value;
}

/** The object that a text is, read as `parseJson` does; undefined when it is no JSON or no object. */
export function readJsonObject(text: string): JsonObject | undefined {
  try {
    const value = parseJson(text);
    return isJsonObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof JsonSyntaxError) return undefined;
    throw error;
  }
}

export function isJsonObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Writes a value as JSON without spaces, a bigint as its digits. Takes what it is given as ours:
 * neither depth nor strings are limited, so it can write text that `parseJson` refuses.
 * @throws {TypeError} for what JSON cannot hold: undefined, NaN, an infinity, a function
 */
export function stringifyJson(value: JsonValue): string {
  switch (typeof value) {
    case "string":
    case "boolean":
      return JSON.stringify(value);
    case "bigint":
      return value.toString();
    case "number":
      if (!Number.isFinite(value)) throw new TypeError("stringifyJson: JSON has no such number");
      return JSON.stringify(value);
    case "object":
      return value === null ? "null" : stringifyMembers(value);
    default:
      throw new TypeError("stringifyJson: JSON has no such type");
  }
}

function stringifyMembers(value: readonly JsonValue[] | JsonObject): string {
  if (Array.isArray(value)) return `[${value.map(stringifyJson).join(",")}]`;
  let members = "";
  for (const [name, member] of Object.entries(value)) {
    members += `${members === "" ? "" : ","}${JSON.stringify(name)}:${stringifyJson(member)}`;
  }
  return `{${members}}`;
}

function readValue(reader: Reader, depth: number): JsonValue {
  skipWhitespace(reader);
  if (reader.valuesLeft === 0) throw new JsonSyntaxError("Too many values", reader.offset);
  reader.valuesLeft -= 1;
  switch (reader.text[reader.offset]) {
    case "{":
      return readObject(reader, depth + 1);
    case "[":
      return readArray(reader, depth + 1);
    case '"':
      return readString(reader);
    default:
      return readLiteralOrNumber(reader);
  }
}

function readObject(reader: Reader, depth: number): JsonObject {
  enter(reader, depth);
  const object = Object.create(null) as Record<string, JsonValue>;
  if (take(reader, "}")) return object;
  do {
    skipWhitespace(reader);
    const nameOffset = reader.offset;
    if (reader.text[nameOffset] !== '"') throw unexpected(reader);
    const name = readString(reader);
    if (name in object) throw new JsonSyntaxError("Duplicate member name", nameOffset);
    if (!take(reader, ":")) throw unexpected(reader);
    object[name] = readValue(reader, depth);
  } while (take(reader, ","));
  if (!take(reader, "}")) throw unexpected(reader);
  return object;
}

function readArray(reader: Reader, depth: number): JsonValue[] {
  enter(reader, depth);
  const array: JsonValue[] = [];
  if (take(reader, "]")) return array;
  do {
    array.push(readValue(reader, depth));
  } while (take(reader, ","));
  if (!take(reader, "]")) throw unexpected(reader);
  return array;
}

/** Steps over the opening bracket of an array or object at `depth`, counted from 1. */
function enter(reader: Reader, depth: number): void {
  if (depth > reader.maxDepth) throw new JsonSyntaxError("Nested too deeply", reader.offset);
  reader.offset += 1;
}

function readString(reader: Reader): string {
  const start = reader.offset;
  const raw = rawString(reader);
  if (CONTROL.test(raw)) throw new JsonSyntaxError("Control character in a string", start);
  let value: string;
  try {
    value = JSON.parse(raw) as string;
  } catch {
    throw new JsonSyntaxError("Invalid escape in a string", start);
  }
  if (CONTROL.test(value)) throw new JsonSyntaxError("Control character in a string", start);
  if (!value.isWellFormed()) throw new JsonSyntaxError("Lone surrogate in a string", start);
  return value;
}

/** The string that begins here, with its quotes and escapes as written; steps over it. */
function rawString(reader: Reader): string {
  const { text, offset: start } = reader;
  let end = start + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
  reader.offset = Math.min(end, text.length);
  if (end >= text.length) throw unexpected(reader);
  reader.offset += 1;
  return text.slice(start, reader.offset);
}

function readLiteralOrNumber(reader: Reader): JsonValue {
  const start = reader.offset;
  for (const [literal, value] of LITERALS) {
    if (reader.text.startsWith(literal, start)) {
      reader.offset += literal.length;
      return value;
    }
  }
  NUMBER.lastIndex = start;
  const match = NUMBER.exec(reader.text);
  if (!match) throw unexpected(reader);
  const [literal, sign, whole = "", fraction = "", exponent = "0"] = match;
  reader.offset += literal.length;
  const integer = integerOf(whole + fraction, Number(exponent) - fraction.length);
  if (!integer) return nearestFinite(Number(literal));
  if (integer.digits.length + integer.zeros <= reader.maxDigits) {
    return BigInt(sign + integer.digits + "0".repeat(integer.zeros));
  }
  if (reader.longIntegers === "infinite") return sign === "-" ? -Infinity : Infinity;
  throw new JsonSyntaxError("Number too long", start);
}

/** The digits of digits · 10^exponent and the zeros after them, or undefined when it is no integer. */
function integerOf(
  digits: string,
  exponent: number,
): { digits: string; zeros: number } | undefined {
  let start = 0;
  while (digits[start] === "0") start += 1;
  if (start === digits.length) return { digits: "0", zeros: 0 };
  let end = digits.length;
  while (digits[end - 1] === "0") end -= 1;
  const zeros = exponent + digits.length - end;
  return zeros < 0 ? undefined : { digits: digits.slice(start, end), zeros };
}

function nearestFinite(value: number): number {
  return Math.max(-Number.MAX_VALUE, Math.min(value, Number.MAX_VALUE));
}

function skipWhitespace(reader: Reader): void {
  WHITESPACE.lastIndex = reader.offset;
  WHITESPACE.exec(reader.text);
  reader.offset = WHITESPACE.lastIndex;
}

/** Skips white space and, if `punctuation` follows, steps over it too. */
function take(reader: Reader, punctuation: string): boolean {
  skipWhitespace(reader);
  if (reader.text[reader.offset] !== punctuation) return false;
  reader.offset += 1;
  return true;
}

function unexpected(reader: Reader): JsonSyntaxError {
  return reader.offset >= reader.text.length
    ? new JsonSyntaxError("Unexpected end of text", reader.text.length)
    : new JsonSyntaxError("Unexpected character", reader.offset);
}
