/**
 * `private_key_jwt`: an assertion signed with the client's own key (RFC 7521, RFC 7523). Its audience is
 * the issuer, as a string and alone, and its `typ` says what it is, as the update of RFC 7523 (RFC 10070)
 * asks: so one that is made for a server is worth nothing at another.
 */
import { toBase64url, utf8 } from "@daykey/common/bytes";
import {
  type ClientCredential,
  obtain,
  randomHex,
  requireClientId,
  type Sourced,
} from "./credential.ts";
import { DaykeyError } from "./errors.ts";
import type { CryptoKey } from "./platform.ts";

/** A private JWK (RFC 7517). Its `kid`, if it has one, names the key in the assertion. */
export interface PrivateJwk {
  kty: string;
  kid?: string;
  alg?: string;
  crv?: string;
  d?: string;
  x?: string;
  y?: string;
  n?: string;
  e?: string;
  p?: string;
  q?: string;
  dp?: string;
  dq?: string;
  qi?: string;
}

const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ASSERTION_TYP = "client-authentication+jwt";
const LIFE_SECONDS = 60;

type Algorithm = "ES256" | "RS256" | "Ed25519";

/** RFC 7518 §3.1 and RFC 9864. WebCrypto's ECDSA signature is JWS's: r and s, 32 bytes each. */
const ALGORITHMS: Record<Algorithm, { name: string; hash?: string; namedCurve?: string }> = {
  ES256: { name: "ECDSA", hash: "SHA-256", namedCurve: "P-256" },
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  Ed25519: { name: "Ed25519" },
};

/**
 * The key is a P-256, RSA (at least 2048 bits, with PKCS #1 and SHA-256) or Ed25519 private key.
 * `kid` names a `CryptoKey`; of a JWK it replaces its own.
 * @throws {DaykeyError} `credential`
 */
export function privateKeyJwt({
  clientId,
  key,
  kid,
}: {
  clientId: string;
  key: Sourced<CryptoKey | PrivateJwk>;
  kid?: string;
}): ClientCredential {
  requireClientId(clientId);
  return {
    clientId,
    method: "private_key_jwt",
    isDated: true,
    async prove({ issuer, now }) {
      const given = await obtain(key);
      const name = kid ?? ("kid" in given ? given.kid : undefined);
      const signer = "kty" in given ? await importKey(given) : given;
      const alg = algorithmOf(signer);
      const iat = Math.floor(now);
      const header = { alg, typ: ASSERTION_TYP, ...(name !== undefined && { kid: name }) };
      const claims = { iss: clientId, sub: clientId, aud: issuer, iat, exp: iat + LIFE_SECONDS };
      const signed = [header, { ...claims, jti: randomHex() }]
        .map((part) => toBase64url(utf8(JSON.stringify(part))))
        .join(".");
      const signature = await crypto.subtle.sign(ALGORITHMS[alg], signer, utf8(signed));
      return {
        form: {
          client_id: clientId,
          client_assertion_type: ASSERTION_TYPE,
          client_assertion: `${signed}.${toBase64url(new Uint8Array(signature))}`,
        },
      };
    },
  };
}

const BY_JWK = new Map<string, Algorithm>([
  ["EC P-256", "ES256"],
  ["RSA", "RS256"],
  ["OKP Ed25519", "Ed25519"],
]);
const BY_KEY = new Map<string, Algorithm>([
  ["ECDSA P-256", "ES256"],
  ["RSASSA-PKCS1-v1_5 SHA-256", "RS256"],
  ["Ed25519", "Ed25519"],
]);
const MIN_RSA_BITS = 2048; // RFC 7518 §3.3

async function importKey(jwk: PrivateJwk): Promise<CryptoKey> {
  const alg = BY_JWK.get([jwk.kty, jwk.crv].filter(Boolean).join(" "));
  const declared = jwk.alg === "EdDSA" ? "Ed25519" : jwk.alg;
  if (!alg || jwk.d === undefined || (declared ?? alg) !== alg) throw notAKey();
  // `alg` is checked above; not every WebCrypto knows both names of Ed25519.
  const { alg: _, ...material } = jwk;
  try {
    return await crypto.subtle.importKey("jwk", material, ALGORITHMS[alg], false, ["sign"]);
  } catch {
    throw notAKey();
  }
}

function algorithmOf({ usages, algorithm }: CryptoKey): Algorithm {
  const { name, namedCurve, hash, modulusLength } = algorithm as {
    name: string;
    namedCurve?: string;
    hash?: { name: string };
    modulusLength?: number;
  };
  const alg = BY_KEY.get([name, namedCurve ?? hash?.name].filter(Boolean).join(" "));
  const isShort = modulusLength !== undefined && modulusLength < MIN_RSA_BITS;
  // Only a private key can have the usage `sign`.
  if (!alg || isShort || !usages.includes("sign")) throw notAKey();
  return alg;
}

function notAKey(): DaykeyError {
  return new DaykeyError(
    "credential",
    "The key is no private P-256, RSA or Ed25519 key to sign with",
  );
}
