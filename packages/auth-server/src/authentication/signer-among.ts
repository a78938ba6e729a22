/** Whose signature an assertion carries: one of some public keys, or none. */
import {
  constants,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  verify,
} from "node:crypto";
import { ASSERTION_ALGORITHMS, type AssertionAlgorithm } from "@daykey/common/protocol";
import type { ClientKey } from "../clients/client-key.ts";
import type { JwtAssertion } from "./client-assertion.ts";

/**
 * The key that signed the assertion, or undefined. It is checked against every key, or a dummy when there is
 * none. That the keys fit its algorithm is the caller's to see to.
 */
export function signerAmong(
  keys: readonly ClientKey[],
  assertion: JwtAssertion,
): ClientKey | undefined {
  let signer: ClientKey | undefined;
  for (const key of keys) if (isSignedBy(key, assertion)) signer ??= key;
  if (keys.length === 0) {
    const algorithm = assertion.algorithm ?? ASSERTION_ALGORITHMS[0];
    isSignedBy({ algorithm, key: DUMMY_KEYS[algorithm] }, assertion);
  }
  return signer;
}

function isSignedBy(
  { algorithm, key }: Pick<ClientKey, "algorithm" | "key">,
  { signed, signature }: JwtAssertion,
): boolean {
  const padding =
    algorithm === "PS256"
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      : {};
  const digest = algorithm === "Ed25519" ? null : "sha256";
  return verify(digest, signed, { key, dsaEncoding: "ieee-p1363", ...padding }, signature);
}

/** Nobody's keys. The RSA one is no key but an odd number of 2048 bits, which costs as much to check with. */
const RSA_DUMMY = createPublicKey({
  format: "jwk",
  key: { kty: "RSA", n: Buffer.alloc(256, 0xff).toString("base64url"), e: "AQAB" },
});
const DUMMY_KEYS: Readonly<Record<AssertionAlgorithm, KeyObject>> = {
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey,
  PS256: RSA_DUMMY,
  RS256: RSA_DUMMY,
  Ed25519: generateKeyPairSync("ed25519").publicKey,
};
