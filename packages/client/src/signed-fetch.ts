/**
 * `fetch` that signs each request with a signature key (RFC 9421, docs/protocol.md §5.4). The signature is
 * for the key's resource and its requests go nowhere else; a redirect is returned as it is.
 */
import { formatContentDigest } from "@daykey/common/content-digest";
import { inputOf, signMessage } from "@daykey/common/http-signature";
import { requestMessage } from "@daykey/common/http-signature-base";
import {
  REQUEST_COMPONENTS,
  REQUEST_TAG,
  SIGNATURE_LIFE_SECONDS,
} from "@daykey/common/signed-request";
import { randomHex } from "./credential.ts";
import { DaykeyError } from "./errors.ts";
import { type Fetch, type Platform, platformWith } from "./platform.ts";
import { secureUrl } from "./secure-url.ts";
import type { SignatureKey } from "./signature-key.ts";
import { webDigest } from "./web-signature.ts";

export interface SignedFetchOptions {
  /** Where the resource is reached, if not at its own address. */
  origin?: string | undefined;
  allowInsecureRequests?: boolean | undefined;
  platform?: Partial<Pick<Platform, "fetch" | "clock">> | undefined;
}

/** What is signed of a request; a signature covers no other of its fields. */
export interface RequestToSign {
  method: string;
  /** As the resource's public address says it. */
  url: URL;
  contentType?: string | undefined;
  /** Undefined: without a body. */
  body?: Uint8Array | undefined;
}

/**
 * The fields to send with a request, for programs that do not use `fetch`: `Signature-Input`, `Signature`
 * and, with a body, `Content-Digest`.
 * @param now epoch seconds: the server takes a signature for 300 s, and only once
 */
export async function signRequest(
  key: SignatureKey,
  { method, url, contentType, body }: RequestToSign,
  now: number,
): Promise<Record<string, string>> {
  const created = Math.floor(now);
  const fields: Record<string, string> = {
    ...(contentType !== undefined && { "content-type": contentType }),
    ...(body && { "content-digest": await formatContentDigest(webDigest, body) }),
  };
  const message = requestMessage(url, method, (name) => {
    const value = fields[name];
    return value === undefined ? undefined : [value];
  });
  const input = inputOf([...REQUEST_COMPONENTS, ...Object.keys(fields)], {
    created,
    expires: created + SIGNATURE_LIFE_SECONDS,
    keyid: key.keyId,
    alg: key.algorithm,
    nonce: randomHex(),
    tag: REQUEST_TAG,
  });
  const signed = await signMessage(message, { label: "daykey", input, sign: key.sign });
  return {
    ...(body && { "content-digest": fields["content-digest"] as string }),
    "signature-input": signed.signatureInput,
    signature: signed.signature,
  };
}

/**
 * A `fetch` that signs. A relative URL is taken from the resource's, so "/time" is at the root of its
 * origin. A body is read whole before it is sent.
 *
 * What it returns throws, besides what `fetch` throws, `cross_origin`.
 * @throws {DaykeyError} `insecure_url`
 */
export function signedFetch(key: SignatureKey, options: SignedFetchOptions = {}): Fetch {
  const { fetch, clock } = platformWith(options.platform);
  const insecure = { allowInsecureRequests: options.allowInsecureRequests ?? false };
  const origin = secureUrl(options.origin ?? key.resource, insecure);

  return async (input, init) => {
    const address = input instanceof Request ? input : new URL(input, origin);
    const request = new Request(address, init);
    const url = new URL(request.url);
    if (url.protocol !== origin.protocol || url.host !== origin.host) {
      throw new DaykeyError(
        "cross_origin",
        "The request is not for the origin of the key's resource",
      );
    }
    const body = request.body ? new Uint8Array(await request.arrayBuffer()) : undefined;
    const named = new URL(url.href.slice(url.origin.length), key.resource);
    const contentType = request.headers.get("content-type") ?? undefined;
    const toSign = { method: request.method, url: named, body, contentType };
    const headers = new Headers(request.headers);
    for (const [name, value] of Object.entries(await signRequest(key, toSign, clock()))) {
      headers.set(name, value);
    }
    return fetch(url, {
      method: request.method,
      headers,
      redirect: request.redirect === "error" ? "error" : "manual",
      signal: request.signal,
      ...(body && { body }),
    });
  };
}
