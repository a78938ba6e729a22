/**
 * The signature base of an HTTP message (RFC 9421 §2): the text that is signed. It covers fields and
 * all derived components of the RFC; in an answer's signature also those of its request (`;req`). The
 * parameters `sf`, `key`, `bs` and `tr` are refused: nothing here needs to be signed in parts.
 */
import {
  type BareItem,
  type InnerList,
  type Item,
  serializeInnerList,
  serializeItem,
} from "./structured-fields.ts";

/** The values of a field, a line each, by its name in lower case; none: undefined or empty. */
export type FieldLines = (name: string) => readonly string[] | undefined;

/** A request as it goes over the wire. */
export interface RequestMessage {
  method: string;
  /** In lower case. */
  scheme: string;
  /** Host in lower case, with the port unless it is the scheme's own (RFC 9421 §2.2.3). */
  authority: string;
  /** Path and query as written (the origin-form of RFC 9112 §3.2.1): it begins with "/". */
  target: string;
  fields: FieldLines;
}

export interface ResponseMessage {
  status: number;
  fields: FieldLines;
  /** What it answers, for components with `;req`. */
  request?: RequestMessage;
}

/** A message does not have what its signature covers, or that is not supported. The reason is fixed text. */
export class HttpSignatureError extends Error {
  override readonly name = "HttpSignatureError";
  /** A short code: `missing_component`, `unsupported_component`, `repeated_component`, … */
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

const FIELD_NAME = /^[a-z0-9!#$%&'*+\-.^_`|~]+$/;
/** What a field's value may be to be signed: a line of visible ASCII, spaces and tabs. */
const FIELD_VALUE = /^[\x20-\x7E\t]*$/;
/** Looks behind, or each space of a long row within would be tried as the first of the last ones. */
const SPACES_AROUND = /^[ \t]+|(?<![ \t])[ \t]+$/g;
const TARGET = /^\/[\x21\x22\x24-\x7E]*$/;

/** The request to a URL. @param url absolute; a fragment stays here */
export function requestMessage(url: URL, method: string, fields: FieldLines): RequestMessage {
  const { origin, host: authority, protocol, hash, href } = url;
  const target = href.slice(origin.length, href.length - hash.length);
  return { method, scheme: protocol.slice(0, -1), authority, target, fields };
}

/**
 * The text to be signed (RFC 9421 §2.5) for what `Signature-Input` says is covered, its parameters last.
 * @throws {HttpSignatureError}
 */
export function signatureBase(message: RequestMessage | ResponseMessage, input: InnerList): string {
  const lines = new Map<string, string>();
  const readQuery = createQueryReader();
  for (const component of input.items) {
    const identifier = serializeItem(component);
    if (lines.has(identifier)) throw new HttpSignatureError("repeated_component");
    lines.set(identifier, componentValue(message, component, readQuery));
  }
  lines.set('"@signature-params"', serializeInnerList(input));
  return Array.from(lines, ([identifier, value]) => `${identifier}: ${value}`).join("\n");
}

/** @throws {HttpSignatureError} */
function componentValue(
  message: RequestMessage | ResponseMessage,
  component: Item,
  readQuery: QueryReader,
): string {
  const { value: name } = component;
  const { req, name: parameter, ...others } = Object.fromEntries(component.parameters);
  const isAsked = req !== undefined && req !== true;
  if (typeof name !== "string" || isAsked || Object.keys(others).length > 0) throw unsupported();
  if (parameter !== undefined && name !== "@query-param") throw unsupported();
  const source = req === true ? requestOf(message) : message;
  if (!name.startsWith("@")) return fieldValue(source, name);
  if (name === "@status" && "status" in source) return String(source.status);
  if ("status" in source) throw new HttpSignatureError("missing_component");
  return derivedValue(source, name, { parameter, readQuery });
}

function requestOf(message: RequestMessage | ResponseMessage): RequestMessage {
  if ("status" in message && message.request) return message.request;
  throw new HttpSignatureError("missing_component");
}

/** RFC 9421 §2.1: the lines without spaces around them, joined. */
function fieldValue({ fields }: { fields: FieldLines }, name: string): string {
  if (!FIELD_NAME.test(name)) throw unsupported();
  const lines = fields(name) ?? [];
  if (lines.length === 0) throw new HttpSignatureError("missing_component");
  const value = lines
    .map((line) => line.replaceAll(/\r?\n[ \t]+/g, " ").replaceAll(SPACES_AROUND, ""))
    .join(", ");
  if (!FIELD_VALUE.test(value)) throw unsupported();
  return value;
}

/** RFC 9421 §2.2. */
function derivedValue(
  { method, scheme, authority, target }: RequestMessage,
  name: string,
  { parameter, readQuery }: { parameter: BareItem | undefined; readQuery: QueryReader },
): string {
  if (!TARGET.test(target)) throw new HttpSignatureError("unsupported_target");
  const mark = target.indexOf("?");
  const query = mark === -1 ? "?" : target.slice(mark);
  switch (name) {
    case "@method":
      return method;
    case "@target-uri":
      return `${scheme}://${authority}${target}`;
    case "@authority":
      return authority;
    case "@scheme":
      return scheme;
    case "@request-target":
      return target;
    case "@path":
      return mark === -1 ? target : target.slice(0, mark);
    case "@query":
      return query;
    case "@query-param":
      if (typeof parameter !== "string") throw unsupported();
      return parameterValue(readQuery(query), parameter);
    default:
      throw unsupported();
  }
}

/** A query's values, by name, both percent-encoded. */
type QueryReader = (query: string) => ReadonlyMap<string, readonly string[]>;

/** RFC 9421 §2.2.8: read as a form, and once, for a signature may cover many of its parameters. */
function createQueryReader(): QueryReader {
  const known = new Map<string, ReadonlyMap<string, readonly string[]>>();
  return (query) => {
    const values = known.get(query) ?? readParameters(query);
    known.set(query, values);
    return values;
  };
}

function readParameters(query: string): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(query)) {
    const encoded = percentEncode(name);
    const others = values.get(encoded);
    if (others) others.push(percentEncode(value));
    else values.set(encoded, [percentEncode(value)]);
  }
  return values;
}

/** It must be there once. */
function parameterValue(query: ReadonlyMap<string, readonly string[]>, name: string): string {
  const [value, ...others] = query.get(name) ?? [];
  if (others.length > 0) throw new HttpSignatureError("repeated_component");
  if (value === undefined) throw new HttpSignatureError("missing_component");
  return value;
}

/** By the set of forms (URL Standard §1.3), which leaves `*-._` and no other mark alone; a space is %20. */
function percentEncode(text: string): string {
  const byCode = (mark: string): string => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replaceAll(/[!'()~]/g, byCode);
}

function unsupported(): HttpSignatureError {
  return new HttpSignatureError("unsupported_component");
}
