/**
 * Checks of proofs that their sender holds a key (DPoP, RFC 9449): a JWT over one request's method and URI.
 * Auth-server and guard have the same rules. What needs a platform is given: hashing, and keys.
 */
import { type Clock, CLOCK_SKEW_SECONDS } from "./clock.ts";
import type { JsonObject, JsonValue } from "./json-numbers.ts";
import { DPOP_ALGORITHMS, DPOP_TYP, type ProofKey } from "./dpop.ts";
import { isTyped, parseJws } from "./jws.ts";
import { weakness } from "./weak-keys.ts";

/** From its `iat` on; then the clocks' difference comes on top (RFC 9449 §11.1). */
const DPOP_LIFE_SECONDS = 60;

const MAX_PROOF_LENGTH = 4096;
/** Remembered as long as the proof could be used. */
const JTI = /^[\x21-\x7e]{1,128}$/;

/** What the platform has to do. */
export interface DpopPrimitives {
  /** The SHA-256 of a text in UTF-8, as unpadded base64url. */
  sha256(text: string): string;
  /**
   * Whether the signature is the key's over these ASCII characters: ES256 or Ed25519, as the key is.
   * @param jkt its thumbprint, by which it may be remembered
   */
  isSigned(key: ProofKey, jkt: string, signed: string, signature: Uint8Array): boolean;
  /** Whether a key is known not to be weak, by its thumbprint: then that is not asked again. */
  isKnown(jkt: string): boolean;
}

/** What a proof has to be of. */
export interface ProvenRequest {
  method: string;
  /** The request's absolute URI, by the name that is configured: never from Host. Its query does not count. */
  uri: string;
  /** The access token that is presented with it; undefined at the token endpoint. */
  accessToken?: string | undefined;
  /** Epoch seconds. */
  now: number;
  /**
   * Judges a nonce of this server: until when it holds, in epoch seconds, or undefined for one that is not
   * this server's or too old. Without it no nonce is asked for.
   */
  nonceEnd?: ((nonce: string) => number | undefined) | undefined;
}

/** A proof that holds, but that nothing tells yet whether it comes again. */
export interface DpopProof {
  /** The thumbprint of its key. */
  jkt: string;
  jti: string;
  /** Epoch seconds; of one with a nonce, when that was given at the earliest. */
  issuedAt: number;
  /** Epoch seconds from which it is refused in any case. */
  expiresAt: number;
}

/** Why a proof does not hold, as a reason for the log. */
export type DpopFault =
  | "dpop_missing"
  | "dpop_repeated"
  | "dpop_malformed"
  | "dpop_typ"
  | "dpop_algorithm"
  | "dpop_key"
  | "dpop_signature"
  | "dpop_method"
  | "dpop_uri"
  | "dpop_time"
  | "dpop_token"
  | "dpop_nonce";

/**
 * The checks of RFC 9449 §4.3, in an order that costs a stranger most and this server least. Not checked:
 * whether the proof was used before, and whether its key is the one that a token is bound to.
 * @param lines the DPoP header's, one entry a line
 */
export function checkDpopProof(
  lines: readonly string[] | undefined,
  request: ProvenRequest,
  primitives: DpopPrimitives,
): DpopProof | DpopFault {
  const [text, ...others] = lines ?? [];
  if (text === undefined) return "dpop_missing";
  if (others.length > 0) return "dpop_repeated";
  const jws = text.length <= MAX_PROOF_LENGTH ? parseJws(text) : "malformed";
  if (typeof jws === "string") return "dpop_malformed";
  const { header, claims, signed, signature } = jws;
  if (!isTyped(header["typ"], DPOP_TYP)) return "dpop_typ";
  const key = readProofKey(header["jwk"]);
  if (!key) return "dpop_key";
  if (!isAlgorithmOf(header["alg"], key)) return "dpop_algorithm";

  const { jti, htm, htu, iat, ath, nonce } = claims;
  if (typeof jti !== "string" || !JTI.test(jti) || !isTime(iat)) return "dpop_malformed";
  if (htm !== request.method) return "dpop_method";
  if (typeof htu !== "string" || !isSameUri(htu, request.uri)) return "dpop_uri";
  const lifetime = lifetimeOf(Number(iat), nonce, request);
  if (typeof lifetime === "string") return lifetime;
  const { accessToken } = request;
  if (accessToken !== undefined && ath !== primitives.sha256(accessToken)) return "dpop_token";

  const jkt = thumbprintOf(key, primitives.sha256);
  if (!primitives.isKnown(jkt) && weakness(key) !== undefined) return "dpop_key";
  if (!primitives.isSigned(key, jkt, signed, signature)) return "dpop_signature";
  return { jkt, jti, ...lifetime };
}

/** A nonce of the server's tells the time better than the client's clock (RFC 9449 §4.3, point 11). */
function lifetimeOf(
  iat: number,
  nonce: JsonValue | undefined,
  { now, nonceEnd }: ProvenRequest,
): Pick<DpopProof, "issuedAt" | "expiresAt"> | DpopFault {
  if (nonceEnd) {
    const end = typeof nonce === "string" ? nonceEnd(nonce) : undefined;
    return end === undefined ? "dpop_nonce" : { issuedAt: now, expiresAt: end };
  }
  const isOfNow =
    iat <= now + CLOCK_SKEW_SECONDS && iat > now - DPOP_LIFE_SECONDS - CLOCK_SKEW_SECONDS;
  if (!isOfNow) return "dpop_time";
  return { issuedAt: iat, expiresAt: iat + DPOP_LIFE_SECONDS + CLOCK_SKEW_SECONDS };
}

/** Members that are private make it no public key (RFC 9449 §4.2); what is unknown is left out. */
function readProofKey(value: JsonValue | undefined): ProofKey | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { kty, crv, x, y, ...rest } = value as JsonObject;
  if (["d", "k", "p", "q", "dp", "dq", "qi", "oth"].some((name) => name in rest)) return undefined;
  if (typeof x !== "string" || x.length > 64) return undefined;
  if (kty === "OKP" && crv === "Ed25519") return { kty, crv, x };
  const isEc = kty === "EC" && crv === "P-256" && typeof y === "string" && y.length <= 64;
  return isEc ? { kty, crv, x, y } : undefined;
}

function isAlgorithmOf(alg: JsonValue | undefined, { kty }: ProofKey): boolean {
  const known = DPOP_ALGORITHMS.find((name) => name === alg);
  return known !== undefined && (known === "ES256") === (kty === "EC");
}

/** The thumbprint of RFC 7638, in base64url. */
export function thumbprintOf(key: ProofKey, sha256: DpopPrimitives["sha256"]): string {
  // In lexicographic order, without spaces (RFC 7638 §3.3, RFC 8037 §2).
  const { crv, kty, x } = key;
  const members = key.kty === "EC" ? { crv, kty, x, y: key.y } : { crv, kty, x };
  return sha256(JSON.stringify(members));
}

/** Whether two absolute URIs are one but for query and fragment (RFC 9449 §4.3, point 9; RFC 3986 §6.2). */
function isSameUri(claimed: string, wanted: string): boolean {
  return claimed === wanted || (URL.canParse(claimed) && normalUri(claimed) === normalUri(wanted));
}

const UNRESERVED = /^[\w.~-]$/;

function normalUri(text: string): string {
  const { protocol, host, pathname, username, password } = new URL(text);
  const path = pathname.replaceAll(/%[0-9a-f]{2}/gi, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return UNRESERVED.test(character) ? character : escape.toUpperCase();
  });
  return `${protocol}//${username}${password && `:${password}`}${username && "@"}${host}${path}`;
}

/** A NumericDate (RFC 7519 §2). */
function isTime(value: JsonValue | undefined): value is number | bigint {
  if (typeof value !== "number" && typeof value !== "bigint") return false;
  return value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

/** Nonces that need no store (RFC 9449 §8): each is a code over the minute in which it was given. */
export interface DpopNonces {
  /** To be used in proofs from now on. */
  current(): string;
  /** Until when a nonce holds, in epoch seconds; undefined for one that is not ours, or too old. */
  endOf(nonce: string): number | undefined;
}

const NONCE_SLOT_SECONDS = 60;
/** How many slots after its own a nonce holds. */
const NONCE_SLOTS = 4;

/**
 * @param code a code over a text under a key that all instances share (HMAC-SHA-256), base64url
 */
export function createDpopNonces(code: (text: string) => string, clock: Clock): DpopNonces {
  const slotOf = (now: number): number => Math.floor(now / NONCE_SLOT_SECONDS);
  const nonceOf = (slot: number): string => `${slot}.${code(`daykey-dpop-nonce ${slot}`)}`;
  let newest = { slot: -1, nonce: "" };
  return {
    current() {
      const slot = slotOf(clock());
      if (newest.slot !== slot) newest = { slot, nonce: nonceOf(slot) };
      return newest.nonce;
    },
    endOf(nonce) {
      const slot = Number(/^(\d{1,12})\.[\w-]{43}$/.exec(nonce)?.[1] ?? -1);
      const ahead = slot - slotOf(clock());
      // One ahead, for an instance whose clock is a little behind another's.
      if (ahead > 1 || ahead < -NONCE_SLOTS) return undefined;
      // Codes of both are compared, so that the time tells nothing of where they differ.
      if (code(nonce) !== code(nonceOf(slot))) return undefined;
      return (slot + NONCE_SLOTS + 1) * NONCE_SLOT_SECONDS;
    },
  };
}
