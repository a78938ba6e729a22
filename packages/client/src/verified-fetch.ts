/**
 * `fetch` that asks for signed answers and verifies them (RFC 9421 §5, docs/protocol.md §4.10): the answer
 * is the resource-server's own, to this very request. What it returns was verified; nothing else is
 * returned, refusals included.
 */
import { isContentDigestOf } from "@daykey/common/content-digest";
import {
  bytesToSign,
  coveredBy,
  inputOf,
  type MessageSignature,
  readSignatures,
} from "@daykey/common/http-signature";
import {
  HttpSignatureError,
  requestMessage,
  type ResponseMessage,
} from "@daykey/common/http-signature-base";
import { ANSWER_COMPONENTS } from "@daykey/common/signed-request";
import { serializeDictionary } from "@daykey/common/structured-fields";
import { createAnswerKeys } from "./answer-keys.ts";
import { randomHex } from "./credential.ts";
import { DaykeyError } from "./errors.ts";
import { type Fetch, type Platform, platformWith } from "./platform.ts";
import { secureUrl } from "./secure-url.ts";
import { verifyWith, webDigest } from "./web-signature.ts";

export interface VerifiedFetchOptions {
  /** The resource whose answers these are; its keys are fetched from there. */
  resource: string;
  /** Where the resource is reached, if not at its own address. */
  origin?: string | undefined;
  allowInsecureRequests?: boolean | undefined;
  platform?: Partial<Platform> | undefined;
}

const LABEL = "answer";

/**
 * A `fetch` over another one (`signedFetch`, `authorizedFetch`, or plain `fetch`). A relative URL is taken
 * from the resource's. The answer is read whole before it is returned. HEAD cannot be verified.
 *
 * What it returns throws, besides what the other throws, `answer_signature`, and what fetching the keys does.
 * @throws {DaykeyError} `insecure_url`
 */
export function verifiedFetch(fetch: Fetch, options: VerifiedFetchOptions): Fetch {
  const { resource } = options;
  const insecure = { allowInsecureRequests: options.allowInsecureRequests ?? false };
  const origin = secureUrl(options.origin ?? resource, insecure);
  const keys = createAnswerKeys({ origin, platform: platformWith(options.platform) });

  return async (input, init) => {
    const address = input instanceof Request ? input.url : input;
    const { href, origin: sentTo } = new URL(address, origin);
    const url = new URL(href.slice(sentTo.length), resource);
    const method = init?.method ?? (input instanceof Request ? input.method : "GET");
    const nonce = randomHex();
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : {}));
    headers.set("accept-signature", wanted(nonce));
    const response = await fetch(input, { ...init, headers });
    const content = new Uint8Array(await response.arrayBuffer());
    const request = requestMessage(url, method.toUpperCase(), () => undefined);
    const fields = (name: string): string[] | undefined => {
      const value = response.headers.get(name);
      return value === null ? undefined : [value];
    };
    await verify({ status: response.status, fields, request }, { content, nonce });
    const { status, statusText, headers: answered } = response;
    return new Response(content.length > 0 ? content : null, {
      status,
      statusText,
      headers: answered,
    });
  };

  /** @throws {DaykeyError} `answer_signature` */
  async function verify(
    message: ResponseMessage,
    { content, nonce }: { content: Uint8Array; nonce: string },
  ): Promise<void> {
    const field = (name: string): string => message.fields(name)?.join(", ") ?? "";
    const [signature, ...others] =
      readSignatures(field("signature-input"), field("signature")) ?? [];
    if (!signature || others.length > 0) throw fault("The answer is not signed");
    const { input, parameters } = signature;
    if (parameters.nonce !== nonce) throw fault("The answer is to another request");
    const covered = coveredBy(input);
    if (!ANSWER_COMPONENTS.every((name) => covered.has(name)))
      throw fault("The answer's signature does not cover it");
    if (!(await isContentDigestOf(webDigest, field("content-digest"), content))) {
      throw fault("The answer is not what was signed");
    }
    if (!(await isGenuine(message, signature))) throw fault("The answer's signature is wrong");
  }

  async function isGenuine(
    message: ResponseMessage,
    { input, parameters: { keyid, alg }, signature }: MessageSignature,
  ): Promise<boolean> {
    const key = keyid === undefined ? undefined : await keys.find(keyid);
    if (!key || (alg !== undefined && alg !== key.algorithm)) return false;
    try {
      return await verifyWith(key.algorithm, key.key, signature, bytesToSign(message, input));
    } catch (error) {
      if (error instanceof HttpSignatureError) return false;
      throw error;
    }
  }
}

/** `Accept-Signature` (RFC 9421 §5.1). */
function wanted(nonce: string): string {
  const { items, parameters } = inputOf(ANSWER_COMPONENTS, { nonce });
  const input = { items, parameters: new Map([["created", true as const], ...parameters]) };
  return serializeDictionary(new Map([[LABEL, input]]));
}

function fault(message: string): DaykeyError {
  return new DaykeyError("answer_signature", message);
}
