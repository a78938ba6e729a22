/**
 * Rules that hold for any request, before a route sees it. Node keeps the first of repeated headers
 * without a word, so the raw ones are asked.
 */
import type { IncomingMessage } from "node:http";

import { BodyError, drainBody, hasBody } from "./body.ts";
import { problem, type ProblemError } from "./problem-error.ts";

/** Node's parser passes others on, such as a line that says HTTP/2.0 and means nothing of it. */
const SPOKEN = new Set(["1.0", "1.1"]);

/** Headers of which a second one is an attempt to be read in two ways. */
const SINGLE = new Set(["host", "authorization", "content-type"]);

/** uri-host [ ":" port ] (RFC 9110 §7.2), a name, an IPv4 address or an IPv6 address in brackets. */
const HOST = /^(?:[a-z0-9_](?:[a-z0-9._-]*[a-z0-9._])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

/** A path and a query, as all but proxies' clients name what they want (RFC 9112 §3.2.1). */
const ORIGIN_FORM = /^\/[!-"$-~]*$/;

/** The same after a scheme and an authority (RFC 9112 §3.2.2), which `HOST` and `URL` judge. */
const ABSOLUTE_FORM = /^https?:\/\/([^/?#]+)((?:\/[!-"$-~]*)?(?:\?[!-"$-~]*)?)$/i;

/** The URLs that were the targets of requests, for as long as those live. */
const targets = new WeakMap<IncomingMessage, URL>();

/** How much of a body nobody asked for is read, so that the connection can be used again. */
const IGNORED_BODY_BYTES = 65_536;

/**
 * Judges the request target before anything reads it. Of an absolute one the path and the query are
 * left, and its authority in place of the Host (RFC 9112 §3.2.2).
 * @throws {ProblemError} 400 for a bad target, a missing, bad or repeated Host, repeated credentials (H2) and framing
 * other than a length or chunks (RFC 9112 §6.1); 415 for an encoded body (H4); 417 for an unknown
 * expectation; 505 for another version of HTTP (RFC 9110 §15.6.6)
 */
export function checkRequest(req: IncomingMessage): void {
  if (!SPOKEN.has(req.httpVersion)) {
    throw refusal(505, "http_version", "This server speaks HTTP/1.1.");
  }
  const absolute = ORIGIN_FORM.test(req.url ?? "") ? undefined : readTarget(req);
  const repeated = repeatedSingle(req.rawHeaders);
  if (repeated !== undefined) {
    throw refusal(400, `repeated_${repeated}`, `The request has more than one ${repeated} header.`);
  }
  // HTTP/1.0 may do without one (RFC 9112 §3.2).
  const isMissing = req.headers.host === undefined && req.httpVersion === "1.0";
  if (!isMissing && !HOST.test(req.headers.host ?? "")) {
    throw refusal(400, "bad_host", "The request has no acceptable host header.");
  }
  if (absolute !== undefined) req.headers.host = absolute;
  const coding = req.headers["transfer-encoding"];
  if (coding !== undefined && (coding.toLowerCase() !== "chunked" || req.httpVersion !== "1.1")) {
    throw refusal(400, "transfer_encoding", "The request has an unknown transfer encoding.");
  }
  if (hasBody(req) && req.headers["content-encoding"] !== undefined) {
    throw refusal(415, "content_encoding", "The request body must not be encoded.");
  }
  if (req.headers.expect !== undefined && req.headers.expect.toLowerCase() !== "100-continue") {
    throw refusal(417, "expectation", "The request expects what this server does not do.");
  }
}

/** The authority of an absolute target; nobody sees a target that is refused. */
function readTarget(req: IncomingMessage): string | undefined {
  const { url = "", method } = req;
  req.url = "/";
  // RFC 9110 §9.3.7: about the server as a whole, which says nothing of itself.
  if (url === "*" && method === "OPTIONS") throw problem(404);
  const [, authority = "", rest = ""] = ABSOLUTE_FORM.exec(url) ?? [];
  const target = HOST.test(authority) ? URL.parse(url) : null;
  if (!target) {
    throw refusal(400, "bad_target", "The request target is neither a path nor a URL.");
  }
  targets.set(req, target);
  req.url = rest.startsWith("/") ? rest : `/${rest}`;
  return authority;
}

/**
 * What the request was sent to: a path, as nearly always, or the whole URL that it named, whose
 * authority counts in place of Host (RFC 9112 §3.2.2).
 */
export function targetUrl(req: IncomingMessage): string {
  const { url = "" } = req;
  const target = targets.get(req);
  return target ? target.origin + url : url;
}

function repeatedSingle(rawHeaders: readonly string[]): string | undefined {
  const seen: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    if (!SINGLE.has(name)) continue;
    if (seen.includes(name)) return name;
    seen.push(name);
  }
  return undefined;
}

/**
 * Reads what the route left of the body.
 * @throws {ProblemError} 413 or 400 when that is too large or malformed (H1)
 */
export async function drainRequest(req: IncomingMessage): Promise<void> {
  try {
    await drainBody(req, IGNORED_BODY_BYTES);
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    if (error.reason === "too_large") {
      throw refusal(413, "body_too_large", "The request body is too large.");
    }
    throw refusal(400, "body_cut_short", "The request body was cut short.");
  }
}

/** The same after a refusal, which stands, whatever else is wrong with the body. */
export async function drainAfterError(req: IncomingMessage): Promise<void> {
  await drainBody(req, IGNORED_BODY_BYTES).catch(() => {});
}

function refusal(status: number, reason: string, detail: string): ProblemError {
  // What follows on the connection cannot be trusted to be a request of its own, or is too much.
  const headers: Record<string, string> =
    status === 400 || status === 413 || status === 505 ? { Connection: "close" } : {};
  return problem(status, { reason, detail, headers });
}
