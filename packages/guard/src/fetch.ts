/**
 * The guard before whatever takes a web-standard Request and gives a Response: Hono, Next, Deno, Bun and
 * others. The authority of `request.url` decides nothing: it is made of Host, which a caller chooses.
 */
import { readWithin } from "@daykey/common/read-within";
import type { Access } from "./access.ts";
import { type CheckOptions, type CheckResult, requireOptions } from "./check.ts";
import type { Guard } from "./guard.ts";
import type { Refusal } from "./refusals.ts";
import { type CheckRequest, type ReadBody, RequestBodyError } from "./request.ts";

export interface FetchOptions<Rest extends readonly unknown[]> extends Omit<CheckOptions, "scope"> {
  /** The caller's address, where the platform tells it; no header is read for it. */
  address?: (request: Request, ...rest: Rest) => string | undefined;
  /** The caller's certificate in DER, where the platform tells it (RFC 8705). */
  certificate?: (request: Request, ...rest: Rest) => Uint8Array | undefined;
}

/**
 * A handler of requests which may do what needs this scope; others get their refusal. A fault of the
 * guard rejects, for the platform to answer.
 * @param handler gets what the platform gives, with the access after the request
 * @throws {TypeError} for a scope that is none
 */
export function protect<Rest extends readonly unknown[]>(
  guard: Pick<Guard, "check">,
  scope: string,
  handler: (request: Request, access: Access, ...rest: Rest) => Response | Promise<Response>,
  { address, certificate, ...options }: FetchOptions<Rest> = {},
): (request: Request, ...rest: Rest) => Promise<Response> {
  const needs = { ...options, scope };
  requireOptions(needs);
  return async (request, ...rest) => {
    const asked = toCheckRequest(request, address?.(request, ...rest));
    const proved = () => certificate?.(request, ...rest);
    const result = await guard.check({ ...asked, certificate: proved }, needs);
    if (!result.allowed) return refusalResponse(result, request.method);
    return withHeaders(await handler(request, result.access, ...rest), result.headers);
  };
}

/** For a middleware of one's own, such as Hono's: the check alone. */
export function checkRequest(
  guard: Pick<Guard, "check">,
  request: Request,
  options: CheckOptions & { address?: string },
): Promise<CheckResult> {
  const { address, ...needs } = options;
  return guard.check(toCheckRequest(request, address), needs);
}

/** @param method that of the request: to HEAD no body is sent (RFC 9110 §9.3.2) */
export function refusalResponse({ status, headers, body }: Refusal, method = "GET"): Response {
  return new Response(method === "HEAD" ? null : JSON.stringify(body), { status, headers });
}

function toCheckRequest(request: Request, address: string | undefined): CheckRequest {
  const { method, url, headers, body } = request;
  return {
    method,
    url: url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, "").replace(/#.*$/s, "") || "/",
    headers,
    address,
    hasBody: body !== null && headers.get("content-length") !== "0",
    body: readCopy(request),
  };
}

/** Reads a copy, so that the handler has the content too. */
function readCopy(request: Request): ReadBody {
  return async (limitBytes) => {
    if (request.bodyUsed) throw new RequestBodyError("gone");
    const { body } = request.clone();
    // The rest of one that is too large ends when both copies do.
    const bytes = await readWithin(body, limitBytes).catch(() => {
      throw new RequestBodyError("cut_short");
    });
    if (!bytes) throw new RequestBodyError("too_large");
    return bytes;
  };
}

/** The headers of a response that came from elsewhere cannot be changed. */
function withHeaders(response: Response, headers: Readonly<Record<string, string>>): Response {
  const added = Object.entries(headers);
  if (added.length === 0) return response;
  const fields = new Headers(response.headers);
  for (const [name, value] of added) fields.set(name, value);
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers: fields });
}
