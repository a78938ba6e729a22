/** The words of DPoP (RFC 9449), for who makes proofs and for who checks them. */

/** The `typ` of a proof (RFC 9449 §4.2). */
export const DPOP_TYP = "dpop+jwt";

/**
 * Signature algorithms of proofs: asymmetric ones (RFC 9449 §11.6) that cost little to check, as whoever
 * sends a request chooses the key. The last two are one (RFC 9864 §3.1).
 */
export const DPOP_ALGORITHMS = ["ES256", "Ed25519", "EdDSA"] as const;

/** The members of a public key, and no other (RFC 7638 §3.2). */
export type ProofKey =
  | { kty: "EC"; crv: "P-256"; x: string; y: string }
  | { kty: "OKP"; crv: "Ed25519"; x: string };

/** HKDF's info for the key that a day key yields (docs/protocol.md §9.3). */
export const DAY_KEY_PROOF_INFO = "daykey-dpop-v1";

/** An Ed25519 private key in PKCS #8 (RFC 8410 §7), up to its 32-byte seed; hex. */
export const ED25519_PKCS8_PREFIX = "302e020100300506032b657004220420";
