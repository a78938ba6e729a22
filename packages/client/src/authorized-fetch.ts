/**
 * `fetch` with the source's token, for one resource. The token goes to the resource's origin and nowhere
 * else: a request to another is refused, and a redirect to another is not followed.
 */
import type { AccessToken } from "./access-token.ts";
import { DaykeyError } from "./errors.ts";
import { type Fetch, platformWith } from "./platform.ts";
import { secureUrl } from "./secure-url.ts";
import type { TokenSource } from "./token-source.ts";
import { parseChallenges } from "./www-authenticate.ts";

export interface AuthorizedFetchOptions {
  fetch?: Fetch | undefined;
  /** Where the token may be sent, if that is not the source's resource, or the source names none. */
  origin?: string | undefined;
  /** Lets tokens travel over plain http to other machines: for a network that is itself trusted. */
  allowInsecureRequests?: boolean | undefined;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * A `fetch` that adds `Authorization: Bearer`, or `DPoP` with a proof made for each request where the token
 * is bound to a key (RFC 9449 §7). A relative URL is taken from the resource's, so "/time" is
 * at the root of its origin.
 *
 * After an answer 401 with `error="invalid_token"` (RFC 6750 §3.1) it gets another token and sends the
 * request again, once; not when the body is a stream, which can be sent only once. A redirect of a GET or
 * HEAD is followed within the origin, at most five times; any other is returned as it is, for the caller
 * to judge. Nothing else is tried again: whether a request may be repeated is the caller's to know.
 *
 * What it returns throws, besides what `fetch` throws, `DaykeyError`s of the source and `cross_origin`,
 * and a TypeError for a request that has an Authorization header of its own.
 * @throws {DaykeyError} `insecure_url`
 * @throws {TypeError} when neither the source nor the options say where the token may go
 */
export function authorizedFetch(
  source: Pick<TokenSource, "resource" | "token" | "refused">,
  options: AuthorizedFetchOptions = {},
): Fetch {
  const place = options.origin ?? source.resource;
  if (place === undefined)
    throw new TypeError("authorizedFetch: where may the token go? Name an origin");
  const base = secureUrl(place, { allowInsecureRequests: options.allowInsecureRequests ?? false });
  /** The resource's newest. */
  let nonce: string | undefined;
  const { fetch } = platformWith(options.fetch && { fetch: options.fetch });

  return async (input, init) => {
    const request = readRequest(input, init, base);
    const { method, headers, signal, mode } = request;
    if (!isWithin(request.url, base)) {
      throw new DaykeyError(
        "cross_origin",
        "The request is not for the origin of the token's resource",
      );
    }
    if (headers.has("authorization")) {
      throw new TypeError("authorizedFetch: the request has an Authorization header already");
    }

    const send = async (token: AccessToken): Promise<Response> => {
      const authorize = async (url: URL): Promise<void> => {
        headers.set("authorization", `${token.prove ? "DPoP" : "Bearer"} ${token.value}`);
        if (token.prove) headers.set("dpop", await token.prove({ method, url, nonce }));
      };
      await authorize(request.url);
      const redirect = mode === "error" ? "error" : "manual";
      const again = { ...init, method, headers, redirect, ...(signal && { signal }) } as const;
      let response = await fetch(input instanceof Request ? input : request.url, {
        ...init,
        headers,
        redirect,
      });
      let { url } = request;
      for (let count = 0; count < MAX_REDIRECTS; count++) {
        const next = redirectOf(response, url);
        const isFollowed = mode === "follow" && (method === "GET" || method === "HEAD");
        if (!next || !isFollowed || !isWithin(next, base)) break;
        url = next;
        await response.body?.cancel();
        await authorize(url);
        response = await fetch(url, again);
      }
      return response;
    };

    /** A nonce that is missing or too old is refused once (RFC 9449 §9). */
    const sendWithNonce = async (token: AccessToken): Promise<Response> => {
      const sent = nonce;
      const response = await send(token);
      nonce = response.headers.get("dpop-nonce") ?? nonce;
      const isAsked = hasError(response, "dpop", "use_dpop_nonce") && nonce !== sent;
      if (!isAsked || !request.isRepeatable) return response;
      await response.body?.cancel();
      return send(token);
    };

    const token = await source.token({ signal });
    const response = await sendWithNonce(token);
    if (!isInvalidToken(response, token)) return response;
    source.refused(token);
    if (!request.isRepeatable) return response;
    const another = await source.token({ signal });
    if (another === token) return response;
    await response.body?.cancel();
    return sendWithNonce(another);
  };
}

/** What the two arguments of `fetch` say together. */
function readRequest(
  input: string | URL | Request,
  init: RequestInit | undefined,
  base: URL,
): {
  url: URL;
  method: string;
  headers: Headers;
  signal: AbortSignal | null | undefined;
  mode: "error" | "follow" | "manual";
  isRepeatable: boolean;
} {
  const request = input instanceof Request ? input : undefined;
  const address = input instanceof Request ? input.url : input.toString();
  return {
    url: new URL(address, base),
    method: (init?.method ?? request?.method ?? "GET").toUpperCase(),
    headers: new Headers(init?.headers ?? request?.headers),
    signal: init?.signal ?? request?.signal,
    mode: init?.redirect ?? request?.redirect ?? "follow",
    isRepeatable: isRepeatable(init?.body ?? request?.body),
  };
}

/** Whether a body can be sent twice: none, or one that is not read by sending it. */
function isRepeatable(body: unknown): boolean {
  return (
    body === undefined ||
    body === null ||
    typeof body === "string" ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body) ||
    body instanceof Blob ||
    body instanceof FormData ||
    body instanceof URLSearchParams
  );
}

/** By scheme and host: `origin` would take `blob:https://…` for its inner URL. */
function isWithin({ protocol, host }: URL, base: URL): boolean {
  return protocol === base.protocol && host === base.host;
}

/** Where an answer sends its request. */
function redirectOf({ status, headers }: Response, from: URL): URL | undefined {
  const location = REDIRECTS.includes(status) ? headers.get("location") : null;
  return location !== null && URL.canParse(location, from.href)
    ? new URL(location, from)
    : undefined;
}

/** RFC 6750 §3.1: expired, revoked, malformed, or invalid for other reasons; a new one may work. */
function isInvalidToken(response: Response, { prove }: AccessToken): boolean {
  const schemes = prove ? ["dpop", "bearer"] : ["bearer"];
  return schemes.some((scheme) => hasError(response, scheme, "invalid_token"));
}

function hasError({ status, headers }: Response, wanted: string, error: string): boolean {
  if (status !== 401) return false;
  return parseChallenges(headers.get("www-authenticate") ?? "").some(
    ({ scheme, parameters }) => scheme === wanted && parameters.get("error") === error,
  );
}
