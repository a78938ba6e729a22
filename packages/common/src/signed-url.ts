/**
 * Signed URLs (docs/protocol.md §5.5): who has one may make this one request until it ends. The query
 * ends with `dk-key`, `dk-expires` and `dk-signature`, in this order; the signature is that of a request
 * (RFC 9421) without the last of them.
 */
import { fromBase64url, toBase64url } from "./bytes.ts";
import { type ComponentName, inputOf } from "./http-signature.ts";
import { isKeyId } from "./api-key.ts";
import { REQUEST_COMPONENTS, URL_TAG } from "./signed-request.ts";
import type { InnerList } from "./structured-fields.ts";

/** The furthest that the end of a signed URL may be ahead. */
export const MAX_URL_LIFE_SECONDS = 86_400;

const SIGNED = /^([^?]*\?(?:.*&)?dk-key=([^&]*)&dk-expires=(\d{1,12}))&dk-signature=([^&]*)$/;
/** A parameter of that name, however it is spelt. */
const NAMES = ["dk-key", "dk-expires", "dk-signature"];

export interface SignedUrl {
  keyId: string;
  /** Epoch seconds. */
  expiresAt: number;
  /** Path and query as they were signed. */
  unsigned: string;
  signature: Uint8Array;
}

/** Whether a query has anything of a signed URL. */
export function hasUrlSignature(query: URLSearchParams): boolean {
  return NAMES.some((name) => query.has(name));
}

/** @param target path and query, as written; undefined when it is not exactly a signed one */
export function readSignedUrl(target: string): SignedUrl | undefined {
  const [, unsigned = "", keyId = "", expires, text = ""] = SIGNED.exec(target) ?? [];
  const query = new URLSearchParams(target.slice(target.indexOf("?")));
  const isOnce = NAMES.every((name) => query.getAll(name).length === 1);
  const signature = fromBase64url(text);
  if (expires === undefined || !isOnce || !isKeyId(keyId) || !signature) return undefined;
  return { keyId, expiresAt: Number(expires), unsigned, signature };
}

/** @param target path and query without any of the three */
export function unsignedTarget(target: string, keyId: string, expiresAt: number): string {
  const joint = target.includes("?") ? "&" : "?";
  return `${target}${joint}dk-key=${keyId}&dk-expires=${expiresAt}`;
}

export function withSignature(unsigned: string, signature: Uint8Array): string {
  return `${unsigned}&dk-signature=${toBase64url(signature)}`;
}

/** What is covered, as it would stand in `Signature-Input`. */
export function urlInput({ keyId, expiresAt }: Pick<SignedUrl, "keyId" | "expiresAt">): InnerList {
  const components: readonly ComponentName[] = REQUEST_COMPONENTS;
  return inputOf(components, { expires: expiresAt, keyid: keyId, tag: URL_TAG });
}
