/**
 * A request as the guard sees it: data that any framework or proxy can give. Nothing here trusts what a
 * caller may choose: Host and every `X-Forwarded-*` are never read, and the authority of a whole URL
 * counts for a signature alone, where it must be the resource's own.
 */
import { type RequestMessage, requestMessage } from "@daykey/common/http-signature-base";
import { ipv6Network } from "@daykey/common/ipv6-network";
import { Refused } from "./refused.ts";

/** Fields by their names. A list is a field that came in several lines: repeated ones must be given. */
export type HeaderFields =
  | Pick<Headers, "get">
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | FieldLines;

/** The values of a field, a line each, by its name in lower case; undefined when it is not there. */
export type FieldLines = (name: string) => readonly string[] | undefined;

/**
 * The request's content, which is read when a signature covers it.
 * @throws {RequestBodyError} past `limitBytes`, or when it is cut short
 */
export type ReadBody = (limitBytes: number) => Promise<Uint8Array>;

export interface CheckRequest {
  /** As it was sent: what overrides it in a header counts for nothing here. */
  method: string;
  /** The path and query as they were sent, or a whole URL. */
  url: string;
  headers: HeaderFields;
  /** The caller's, as far as it is known from something that a caller cannot choose. */
  address?: string | undefined;
  /**
   * The certificate, in DER, whose key the caller proved in a handshake of TLS, as its own connection or a
   * trusted proxy says. Asked only for a token that is bound to one (RFC 8705).
   */
  certificate?: (() => Uint8Array | undefined) | undefined;
  /** Whose connection the request came on, for `clientCertProxies`: never what a header says. */
  peer?: string | undefined;
  /** Whether it has content; by default as Content-Length and Transfer-Encoding say (RFC 9112 §6.3). */
  hasBody?: boolean | undefined;
  /** Without it a signature that covers content is refused. */
  body?: ReadBody | undefined;
}

/** Why a body could not be had: over the cap, cut short, or read by somebody else before. */
export class RequestBodyError extends Error {
  override readonly name = "RequestBodyError";
  readonly reason: "too_large" | "cut_short" | "gone";

  constructor(reason: RequestBodyError["reason"]) {
    super(reason);
    this.reason = reason;
  }
}

/** The same, read once. */
export interface GuardedRequest {
  method: string;
  /** Path and query (the origin-form of RFC 9112 §3.2.1). */
  target: string;
  /** Only when the target is a whole URL: its host and port, without the scheme's own port. */
  authority: string | undefined;
  /** The caller's, as limits count it; callers of whom none is known share one. */
  address: string;
  lines: FieldLines;
  /** The lines of a field, joined (RFC 9110 §5.3). */
  field: (name: string) => string | undefined;
  hasBody: boolean;
  body: ReadBody | undefined;
  certificate: CheckRequest["certificate"];
  peer: string | undefined;
}

export function readRequest({
  method,
  url,
  headers,
  address,
  hasBody,
  body,
  certificate,
  peer,
}: CheckRequest): GuardedRequest {
  const lines = linesOf(headers);
  const field = (name: string): string | undefined => lines(name)?.join(", ");
  const whole = url.startsWith("/") ? undefined : partsOf(url);
  return {
    method,
    target: whole?.target ?? url,
    authority: whole?.authority,
    address: addressKey(address),
    lines,
    field,
    hasBody: hasBody ?? announcesBody(field),
    body,
    certificate,
    peer,
  };
}

/** An IPv4 address, IPv4-mapped ones too, or the /64 network of an IPv6 address. */
function addressKey(address = "unknown"): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  const isV6 = plain.includes(":") && !plain.includes("/");
  return isV6 ? ipv6Network(plain.replace(/%.*$/s, "")) : plain;
}

/** RFC 9112 §6.3. */
function announcesBody(field: GuardedRequest["field"]): boolean {
  if (field("transfer-encoding") !== undefined) return true;
  const length = field("content-length");
  return length !== undefined && Number(length) !== 0;
}

/** What is neither a path nor a URL is a target that no signature can cover. */
function partsOf(url: string): Pick<GuardedRequest, "target" | "authority"> {
  const scheme = /^https?:\/\/[^/?#]*/i.exec(url)?.[0];
  if (scheme === undefined || !URL.canParse(url)) return { target: url, authority: undefined };
  const rest = url.slice(scheme.length).replace(/#.*$/s, "");
  return { target: rest.startsWith("/") ? rest : `/${rest}`, authority: new URL(url).host };
}

function linesOf(headers: HeaderFields): FieldLines {
  if (typeof headers === "function") return headers;
  if (typeof headers.get === "function") {
    const given = headers as Pick<Headers, "get">;
    return (name) => {
      const value = given.get(name);
      return value === null ? undefined : [value];
    };
  }
  const all = new Map<string, string[]>();
  const fields = headers as Readonly<Record<string, string | readonly string[] | undefined>>;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value.length === 0) continue;
    const key = name.toLowerCase();
    // Names that differ in case alone are one field that came twice.
    all.set(key, [...(all.get(key) ?? []), ...(typeof value === "string" ? [value] : value)]);
  }
  return (name) => all.get(name);
}

/**
 * A request as RFC 9421 sees it, by the name that the resource has for others.
 * @param resource its URI: a proxy may have changed Host, and a stranger may choose it
 */
export function messageOf(
  { method, target, lines }: Pick<GuardedRequest, "method" | "target" | "lines">,
  resource: string,
): RequestMessage {
  return { ...requestMessage(new URL(resource), method, lines), target };
}

/**
 * The same, of a request whose signature is to be checked.
 * @throws {Refused} 421 when the URL is of another authority: the signature would be checked for one
 * that was not asked for (RFC 9421 §2.2.3, RFC 9110 §7.4)
 */
export function signedMessageOf(request: GuardedRequest, resource: string): RequestMessage {
  const message = messageOf(request, resource);
  if ((request.authority ?? message.authority) !== message.authority) {
    const detail = "The request target names another authority than this resource has.";
    const title = "Misdirected Request";
    throw new Refused(421, { title, reason: "other_authority", detail });
  }
  return message;
}

/**
 * The content of a request whose signature covers it.
 * @throws {Refused} 413 past `limitBytes`, 400 when it was cut short
 * @throws {RequestBodyError} `gone`: there is nobody who can read it
 */
export async function readContent(
  { body }: GuardedRequest,
  limitBytes: number,
): Promise<Uint8Array> {
  if (!body) throw new RequestBodyError("gone");
  try {
    return await body(limitBytes);
  } catch (error) {
    if (!(error instanceof RequestBodyError) || error.reason === "gone") throw error;
    if (error.reason === "too_large") {
      const detail = `The request body is larger than ${limitBytes} bytes.`;
      throw new Refused("body-too-large", { detail });
    }
    throw new Refused("body-cut-short", { detail: "The request body was cut short." });
  }
}
