/**
 * Keys that access tokens are bound to (DPoP, RFC 9449), over WebCrypto: one of this process, or the one
 * that a secret yields for its day. Neither leaves the closure that signs with it.
 */
import { fromHex, toBase64url, utf8 } from "@daykey/common/bytes";
import {
  DAY_KEY_PROOF_INFO,
  DPOP_TYP,
  ED25519_PKCS8_PREFIX,
  type ProofKey,
} from "@daykey/common/dpop";
import { randomHex } from "./credential.ts";
import type { CryptoKey } from "./platform.ts";

/** What a proof is of. */
export interface ProvenCall {
  method: string;
  url: string | URL;
  /** The server's time in epoch seconds, as far as it is known. */
  now: number;
  accessToken?: string | undefined;
  /** What the server last gave in `DPoP-Nonce`. */
  nonce?: string | undefined;
}

export interface DpopKey {
  /** The content of the header `DPoP` for one request. */
  prove(call: ProvenCall): Promise<string>;
}

const ES256 = { name: "ECDSA", hash: "SHA-256", namedCurve: "P-256" } as const;
const ED25519 = { name: "Ed25519" } as const;

/** A new P-256 key, which every WebCrypto has. It cannot be exported. */
export async function generateDpopKey(): Promise<DpopKey> {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(ES256, false, ["sign"]);
  const { x = "", y = "" } = await crypto.subtle.exportKey("jwk", publicKey);
  return keyOf("ES256", { kty: "EC", crv: "P-256", x, y }, privateKey);
}

/**
 * The Ed25519 key of a day: its seed is HKDF-SHA-256 of the day key, without salt (docs/protocol.md §9.3).
 * The server knows its public half from the one-time form, and stores nothing of it.
 */
export async function dpopKeyOfDay(dayKey: Uint8Array): Promise<DpopKey> {
  const material = await crypto.subtle.importKey("raw", new Uint8Array(dayKey), "HKDF", false, [
    "deriveBits",
  ]);
  const info = utf8(DAY_KEY_PROOF_INFO);
  const derivation = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
  const seed = new Uint8Array(await crypto.subtle.deriveBits(derivation, material, 256));
  const prefix = fromHex(ED25519_PKCS8_PREFIX, 16) ?? [];
  const pkcs8 = Uint8Array.of(...prefix, ...seed);
  // Its public half can be had from one that can be exported alone.
  const open = await crypto.subtle.importKey("pkcs8", pkcs8, ED25519, true, ["sign"]);
  const { x = "" } = await crypto.subtle.exportKey("jwk", open);
  const closed = await crypto.subtle.importKey("pkcs8", pkcs8, ED25519, false, ["sign"]);
  return keyOf("EdDSA", { kty: "OKP", crv: "Ed25519", x }, closed);
}

function keyOf(alg: "ES256" | "EdDSA", jwk: ProofKey, key: CryptoKey): DpopKey {
  return {
    async prove({ method, url, now, accessToken, nonce }) {
      // RFC 9449 §4.2: without query and fragment.
      const { origin, pathname } = new URL(url);
      const claims = {
        jti: randomHex(),
        htm: method,
        htu: `${origin}${pathname}`,
        iat: Math.floor(now),
        ...(accessToken !== undefined && { ath: await sha256(accessToken) }),
        ...(nonce !== undefined && { nonce }),
      };
      const signed = [{ typ: DPOP_TYP, alg, jwk }, claims]
        .map((part) => toBase64url(utf8(JSON.stringify(part))))
        .join(".");
      const signature = await crypto.subtle.sign(
        alg === "ES256" ? ES256 : ED25519,
        key,
        utf8(signed),
      );
      return `${signed}.${toBase64url(new Uint8Array(signature))}`;
    },
  };
}

async function sha256(text: string): Promise<string> {
  return toBase64url(new Uint8Array(await crypto.subtle.digest("SHA-256", utf8(text))));
}
