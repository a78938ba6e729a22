/**
 * Structured fields (RFC 9651), the part that signatures and digests need: dictionaries of items and
 * inner lists, with integers, strings, tokens, byte sequences and booleans. What is read is strict:
 * a key may not stand there twice (the RFC lets the last one win, so that two readers could see two
 * signatures), and decimals, dates and display strings are refused, for nothing here has one.
 */
import { fromBase64, toBase64 } from "./bytes.ts";

/** A word without quotes, as against a string. */
export interface Token {
  token: string;
}

/** A number is an integer of at most 15 digits, a string printable ASCII. */
export type BareItem = number | string | boolean | Uint8Array | Token;
export type Parameters = ReadonlyMap<string, BareItem>;

export interface Item {
  value: BareItem;
  parameters: Parameters;
}

export interface InnerList {
  items: readonly Item[];
  parameters: Parameters;
}

export type Dictionary = ReadonlyMap<string, Item | InnerList>;

const MAX_LENGTH = 8192;
const MAX_MEMBERS = 64;

const KEY = /[a-z*][a-z0-9_\-.*]*/y;
const INTEGER = /-?\d{1,15}(?![\d.])/y;
const STRING = /"((?:[\x20\x21\x23-\x5B\x5D-\x7E]|\\["\\])*)"/y;
const TOKEN = /[A-Za-z*][\w!#$%&'*+\-.^`|~:/]*/y;
const BYTES = /:([A-Za-z0-9+/=]*):/y;
const BOOLEAN = /\?([01])/y;
const SPACES = / */y;
/** Looks behind, or each space of a long row within would be tried as the first of the last ones. */
const SPACES_AROUND = /^ +|(?<! ) +$/g;
const BETWEEN_MEMBERS = /[ \t]*,[ \t]*/y;

/** What an inner list is told from an item by. */
export function isInnerList(member: Item | InnerList): member is InnerList {
  return "items" in member;
}

/**
 * A dictionary field (RFC 9651 §4.2.2), or undefined for what is none: at most 8 KiB, and 64 members,
 * items or parameters each. Several field lines are joined by ", " first (RFC 9110 §5.3).
 */
export function parseDictionary(text: string): Dictionary | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const trimmed = text.replaceAll(SPACES_AROUND, "");
  const reader = { text: trimmed, offset: 0 };
  const dictionary = new Map<string, Item | InnerList>();
  while (reader.offset < trimmed.length) {
    const key = take(reader, KEY)?.[0];
    if (key === undefined || dictionary.has(key) || dictionary.size >= MAX_MEMBERS) {
      return undefined;
    }
    const member = readMember(reader);
    if (!member) return undefined;
    dictionary.set(key, member);
    if (reader.offset === trimmed.length) return dictionary;
    // A comma announces a member.
    if (!take(reader, BETWEEN_MEMBERS) || reader.offset === trimmed.length) return undefined;
  }
  return dictionary;
}

/** RFC 9651 §4.1.2. @throws {TypeError} for a value that no field can hold */
export function serializeDictionary(dictionary: Dictionary): string {
  return Array.from(dictionary, ([key, member]) => {
    if (isInnerList(member)) return `${key}=${serializeInnerList(member)}`;
    if (member.value === true) return `${key}${serializeParameters(member.parameters)}`;
    return `${key}=${serializeItem(member)}`;
  }).join(", ");
}

/** RFC 9651 §4.1.1.1. */
export function serializeInnerList({ items, parameters }: InnerList): string {
  return `(${items.map(serializeItem).join(" ")})${serializeParameters(parameters)}`;
}

/** RFC 9651 §4.1.3. */
export function serializeItem({ value, parameters }: Item): string {
  return serializeBareItem(value) + serializeParameters(parameters);
}

interface Reader {
  readonly text: string;
  offset: number;
}

function take(reader: Reader, pattern: RegExp): RegExpExecArray | undefined {
  pattern.lastIndex = reader.offset;
  const found = pattern.exec(reader.text);
  if (!found) return undefined;
  reader.offset = pattern.lastIndex;
  return found;
}

function takeCharacter(reader: Reader, character: string): boolean {
  if (reader.text[reader.offset] !== character) return false;
  reader.offset += 1;
  return true;
}

/** A key without a value is true (§4.2.2). */
function readMember(reader: Reader): Item | InnerList | undefined {
  if (!takeCharacter(reader, "=")) {
    const parameters = readParameters(reader);
    return parameters && { value: true, parameters };
  }
  return reader.text[reader.offset] === "(" ? readInnerList(reader) : readItem(reader);
}

function readInnerList(reader: Reader): InnerList | undefined {
  takeCharacter(reader, "(");
  const items: Item[] = [];
  for (;;) {
    take(reader, SPACES);
    if (takeCharacter(reader, ")")) break;
    const item = items.length < MAX_MEMBERS ? readItem(reader) : undefined;
    const next = reader.text[reader.offset];
    if (!item || (next !== " " && next !== ")")) return undefined;
    items.push(item);
  }
  const parameters = readParameters(reader);
  return parameters && { items, parameters };
}

function readItem(reader: Reader): Item | undefined {
  const value = readBareItem(reader);
  if (value === undefined) return undefined;
  const parameters = readParameters(reader);
  return parameters && { value, parameters };
}

function readParameters(reader: Reader): Parameters | undefined {
  const parameters = new Map<string, BareItem>();
  while (takeCharacter(reader, ";")) {
    take(reader, SPACES);
    const key = take(reader, KEY)?.[0];
    if (key === undefined || parameters.has(key) || parameters.size >= MAX_MEMBERS) {
      return undefined;
    }
    const value = takeCharacter(reader, "=") ? readBareItem(reader) : true;
    if (value === undefined) return undefined;
    parameters.set(key, value);
  }
  return parameters;
}

function readBareItem(reader: Reader): BareItem | undefined {
  switch (reader.text[reader.offset]) {
    case '"':
      return take(reader, STRING)?.[1]?.replaceAll(/\\(["\\])/g, "$1");
    case ":": {
      const base64 = take(reader, BYTES)?.[1];
      return base64 === undefined ? undefined : fromBase64(base64);
    }
    case "?": {
      const digit = take(reader, BOOLEAN)?.[1];
      return digit === undefined ? undefined : digit === "1";
    }
    default: {
      const digits = take(reader, INTEGER)?.[0];
      // A zero has no sign.
      if (digits !== undefined) return Number(digits) + 0;
      const token = take(reader, TOKEN)?.[0];
      return token === undefined ? undefined : { token };
    }
  }
}

function serializeParameters(parameters: Parameters): string {
  return Array.from(parameters, ([key, value]) =>
    value === true ? `;${key}` : `;${key}=${serializeBareItem(value)}`,
  ).join("");
}

function serializeBareItem(value: BareItem): string {
  if (typeof value === "boolean") return value ? "?1" : "?0";
  if (value instanceof Uint8Array) return `:${toBase64(value)}:`;
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value) || Math.abs(value) >= 1e15) {
      throw new TypeError("serializeBareItem: no integer of a structured field");
    }
    return String(value);
  }
  if (typeof value === "string") {
    if (!/^[\x20-\x7E]*$/.test(value)) {
      throw new TypeError("serializeBareItem: no string of a structured field");
    }
    return `"${value.replaceAll(/["\\]/g, "\\$&")}"`;
  }
  return value.token;
}
