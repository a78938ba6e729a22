/** Keys of DPoP proofs (RFC 9449), by Node: those that clients bring, and the one that a day key yields. */
import {
  createPrivateKey,
  createPublicKey,
  hash,
  hkdfSync,
  type KeyObject,
  verify,
} from "node:crypto";
import { LRUCache } from "lru-cache";
import { DAY_KEY_PROOF_INFO, ED25519_PKCS8_PREFIX } from "@daykey/common/dpop";
import { type DpopPrimitives, thumbprintOf } from "@daykey/common/dpop-proof";

const sha256 = (text: string): string => hash("sha256", text, "base64url");

/** A key costs more to judge than to use. */
const REMEMBERED_KEYS = 10_000;

export function createDpopPrimitives(): DpopPrimitives {
  const known = new LRUCache<string, KeyObject>({ max: REMEMBERED_KEYS });
  return {
    sha256,
    isKnown: (jkt) => known.has(jkt),
    isSigned(jwk, jkt, signed, signature) {
      const key = known.get(jkt) ?? createPublicKey({ key: jwk, format: "jwk" });
      const digest = jwk.kty === "EC" ? "sha256" : null;
      const data = Buffer.from(signed, "latin1");
      const isGenuine = verify(digest, data, { key, dsaEncoding: "ieee-p1363" }, signature);
      if (isGenuine) known.set(jkt, key);
      return isGenuine;
    },
  };
}

/**
 * The thumbprint of the Ed25519 key whose seed is HKDF-SHA-256 of the day key (RFC 5869, no salt): its
 * holder alone can make it, as only verifiers of day keys are kept here.
 */
export function thumbprintOfDayKey(dayKey: Uint8Array): string {
  const seed = Buffer.from(hkdfSync("sha256", dayKey, "", DAY_KEY_PROOF_INFO, 32));
  const der = Buffer.concat([Buffer.from(ED25519_PKCS8_PREFIX, "hex"), seed]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const { x = "" } = createPublicKey(privateKey).export({ format: "jwk" });
  return thumbprintOf({ kty: "OKP", crv: "Ed25519", x }, sha256);
}
