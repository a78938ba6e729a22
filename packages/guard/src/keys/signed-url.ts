/**
 * Signed URLs (docs/protocol.md §5.5): who has one may make its request, until it ends, as often as they
 * like. There is no nonce: the URL is the credential.
 */
import { type Clock, CLOCK_SKEW_SECONDS } from "@daykey/common/clock";
import { bytesToSign } from "@daykey/common/http-signature";
import { MAX_URL_LIFE_SECONDS, readSignedUrl, urlInput } from "@daykey/common/signed-url";
import { signedMessageOf } from "../request.ts";
import { type Authenticate, InvalidCredential } from "../access.ts";
import { bytesOf } from "./http-signature.ts";
import { type FindKey, isSignatureOf } from "./signature-keys.ts";

const HINTS = {
  form: "A signed URL ends with dk-key, dk-expires and dk-signature, each once and in this order.",
  body: "A signed URL is for a request without a body.",
  time: "The signed URL has ended, or ends too far ahead.",
};

export function createSignedUrlVerifier({
  findKey,
  resource,
  clock,
}: {
  findKey: FindKey;
  /** This resource's URI, whose authority the URL must have. */
  resource: string;
  clock: Clock;
}): Authenticate {
  return async (_text, req) => {
    const signed = readSignedUrl(req.target);
    if (!signed) throw new InvalidCredential("malformed_url", undefined, HINTS.form);
    if (req.hasBody) throw new InvalidCredential("body_with_url", undefined, HINTS.body);
    const leftSeconds = signed.expiresAt - clock();
    if (leftSeconds <= 0 || leftSeconds > MAX_URL_LIFE_SECONDS + CLOCK_SKEW_SECONDS) {
      throw new InvalidCredential("wrong_time", undefined, HINTS.time);
    }
    const message = { ...signedMessageOf(req, resource), target: signed.unsigned };
    const bytes = bytesOf(() => bytesToSign(message, urlInput(signed)));
    const found = await findKey(signed.keyId, "signed_url", req.address);
    const isGenuine = isSignatureOf(found?.key, signed.signature, bytes);
    if (!found) throw new InvalidCredential("unknown_key");
    if (!isGenuine) throw new InvalidCredential("wrong_signature");
    return found.access();
  };
}
