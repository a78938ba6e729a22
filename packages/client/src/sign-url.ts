/** A URL that carries its own right to be asked for, until it ends (docs/protocol.md §5.5). */
import { bytesToSign } from "@daykey/common/http-signature";
import { requestMessage } from "@daykey/common/http-signature-base";
import {
  hasUrlSignature,
  MAX_URL_LIFE_SECONDS,
  unsignedTarget,
  urlInput,
  withSignature,
} from "@daykey/common/signed-url";
import { DaykeyError } from "./errors.ts";
import { platformWith } from "./platform.ts";
import type { SignatureKey } from "./signature-key.ts";

export interface SignUrlOptions {
  /** `GET` by default; a request with a body is never let through. */
  method?: string | undefined;
  /** 300 by default, at most 86,400: a day. */
  lifeSeconds?: number | undefined;
  /** Epoch seconds, this machine's by default. */
  now?: number | undefined;
}

/**
 * Who has the URL may ask for it with this method, as often as they like, until it ends. `url` may be
 * relative to the key's resource, and belongs to it; a fragment is left out.
 * @throws {DaykeyError} `cross_origin` for another origin
 * @throws {TypeError} for a life that is not allowed, or a URL that is signed already
 */
export async function signUrl(
  key: SignatureKey,
  url: string | URL,
  { method = "GET", lifeSeconds = 300, now = platformWith().clock() }: SignUrlOptions = {},
): Promise<string> {
  const target = new URL(url, key.resource);
  if (target.origin !== new URL(key.resource).origin) {
    throw new DaykeyError("cross_origin", "The URL is not of the key's resource");
  }
  if (!Number.isInteger(lifeSeconds) || lifeSeconds < 1 || lifeSeconds > MAX_URL_LIFE_SECONDS) {
    throw new TypeError(`signUrl: a life is 1 to ${MAX_URL_LIFE_SECONDS} seconds`);
  }
  if (hasUrlSignature(target.searchParams)) {
    throw new TypeError("signUrl: the URL is signed already");
  }
  const { keyId } = key;
  const expiresAt = Math.floor(now) + lifeSeconds;
  const message = requestMessage(target, method, () => undefined);
  const unsigned = unsignedTarget(message.target.replace(/\?$/, ""), keyId, expiresAt);
  const signature = await key.sign(
    bytesToSign({ ...message, target: unsigned }, urlInput({ keyId, expiresAt })),
  );
  return target.origin + withSignature(unsigned, signature);
}
