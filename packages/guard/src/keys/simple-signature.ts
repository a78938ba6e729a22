/**
 * The simple form (docs/protocol.md §5.6), as Flask-HMAC has it: `Signature: base64(HMAC-SHA-256(key,
 * body))`, or base64 of `<key id>:<that>` where several keys are in use. It covers the body alone, and is
 * good for as long as the key is: whoever sees one may send it again, to any route. Hence a setting.
 */
import { isKeyId } from "@daykey/common/api-key";
import { fromBase64 } from "@daykey/common/bytes";
import { type Authenticate, InvalidCredential } from "../access.ts";
import { contentOf } from "./http-signature.ts";
import { type FindKey, isHmacOf } from "./signature-keys.ts";

/** Read before anyone has proven anything, so it is little. */
const BODY_BYTES = 65_536;
const MAC_BYTES = 32;
const NAMED = /^([a-z0-9]{12}):([A-Za-z0-9+/]{43}=)$/;
const HINT =
  "Signature is base64 of the HMAC-SHA-256 of the body, or of a key id, a colon and that.";

export function createSimpleSignatureVerifier({
  findKey,
  defaultKeyId,
}: {
  findKey: FindKey;
  /** The key of a signature that names none. */
  defaultKeyId: string | undefined;
}): Authenticate {
  return async (_text, req) => {
    const presented = readSimpleSignature(req.field("signature") ?? "", defaultKeyId);
    if (!presented) throw new InvalidCredential("malformed_signature", undefined, HINT);
    const found = await findKey(presented.keyId, "simple_signature", req.address);
    const content = await contentOf(req, undefined, BODY_BYTES);
    // The article's programs have keys as text.
    const isGenuine = isHmacOf(found?.key.secretText ?? "", presented.mac, content);
    if (found?.key.secretText === undefined) throw new InvalidCredential("unknown_key");
    if (!isGenuine) throw new InvalidCredential("wrong_signature");
    return found.access();
  };
}

function readSimpleSignature(
  text: string,
  defaultKeyId: string | undefined,
): { keyId: string; mac: Uint8Array } | undefined {
  const bytes = fromBase64(text);
  if (bytes?.length === MAC_BYTES && defaultKeyId !== undefined) {
    return { keyId: defaultKeyId, mac: bytes };
  }
  const [, keyId = "", base64 = ""] = NAMED.exec(Buffer.from(bytes ?? []).toString("latin1")) ?? [];
  const mac = fromBase64(base64);
  return mac?.length === MAC_BYTES && isKeyId(keyId) ? { keyId, mac } : undefined;
}
