/**
 * A client's public key as it comes, a JWK (RFC 7517), and as assertions are checked with it. One key
 * has one algorithm (RFC 8725 §3.1), and its kid is the credential of the grants it opens.
 */
import {
  checkPrime,
  checkPrimeSync,
  createHash,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  X509Certificate,
} from "node:crypto";
import { promisify } from "node:util";
import type { JWK } from "jose";
import { LRUCache } from "lru-cache";
import type { AssertionAlgorithm } from "@daykey/common/protocol";
import { weakness } from "@daykey/common/weak-keys";
import { problem } from "@daykey/service/http/problem-error";

/** What assertions are checked with. */
export interface ClientKey {
  kid: string;
  algorithm: AssertionAlgorithm;
  key: KeyObject;
  /** SHA-256 of the certificate that it was registered with, base64url (RFC 7517 §4.9). */
  certificate?: string;
}

export interface PublicClientKey extends ClientKey {
  /** Public members only, with kid, alg and use. */
  publicJwk: JWK & { kid: string };
}

/** Printable and without spaces: it stands in tokens, logs and `<client id> <kid>`. */
const KID = /^[\x21-\x7e]{1,128}$/;

/** 32 bytes. */
const COORDINATE_LENGTH = 43;

const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/** The members that make the key, in the order RFC 7638 §3.2 hashes them, and what may sign with it. */
interface KeyKind {
  material: readonly (keyof JsonWebKey)[];
  /** The first when the JWK names none. `EdDSA` is the older name of `Ed25519` (RFC 9864). */
  algorithms: readonly AssertionAlgorithm[];
}

const KINDS: Readonly<Record<string, KeyKind>> = {
  "EC P-256": { material: ["crv", "kty", "x", "y"], algorithms: ["ES256"] },
  "OKP Ed25519": { material: ["crv", "kty", "x"], algorithms: ["Ed25519"] },
  RSA: { material: ["e", "kty", "n"], algorithms: ["RS256", "PS256"] },
};

/**
 * The key an operator registers. Without a kid it gets its certificate's thumbprint as one, or else its own (RFC 7638).
 * @throws {ProblemError} 400 for what is no public key that may sign an assertion
 */
export function registrableKey(jwk: unknown): PublicClientKey {
  const read = readPublicKey(jwk);
  if (typeof read === "string") throw problem("invalid-key", { detail: read });
  const modulus = modulusOf(read);
  if (modulus && checkPrimeSync(modulus, ONE_ROUND)) {
    throw problem("invalid-key", { detail: PRIME_MODULUS });
  }
  if (certificateIn(jwk as Record<string, unknown>, read.key) !== false) return read;
  throw problem("invalid-key", {
    detail: "x5c begins with the key's own certificate in base64, and x5t#S256 is its SHA-256.",
  });
}

/**
 * The usable keys of a published set; whatever else stands there is passed over, and a kid's second.
 * @param passOver is told why a key is not usable, a weak one too
 */
export function usableKeys(
  jwks: readonly unknown[],
  passOver?: (fault: string) => void,
): ClientKey[] {
  const byKid = new Map<string, ClientKey>();
  for (const jwk of jwks) {
    const read = readPublicKey(jwk);
    if (typeof read === "string") passOver?.(read);
    if (typeof read === "string" || byKid.has(read.kid)) continue;
    const { publicJwk: _, ...key } = read;
    byKid.set(read.kid, key);
  }
  return [...byKid.values()];
}

/** The same of a set that its client publishes, which nobody has looked at before; the first `most` of them. */
export async function usablePublishedKeys(
  jwks: readonly unknown[],
  { most, passOver }: { most: number; passOver: (fault: string) => void },
): Promise<ClientKey[]> {
  const keys = usableKeys(jwks, passOver).slice(0, most);
  const areWeak = await Promise.all(
    keys.map(async (key) => {
      const modulus = modulusOf(key);
      return modulus !== undefined && isPrime(modulus, ONE_ROUND);
    }),
  );
  if (areWeak.includes(true)) passOver(PRIME_MODULUS);
  return keys.filter((_, i) => !areWeak[i]);
}

/**
 * Everybody can compute the private exponent of a prime (NIST SP 800-89 §5.3.3). One round of Miller and
 * Rabin takes 4 to 20 ms, so it is made once for a key, when it comes.
 */
const ONE_ROUND = { checks: 1 };
const PRIME_MODULUS = "The RSA modulus is a prime, so its private key is known.";
const isPrime = promisify<Buffer, typeof ONE_ROUND, boolean>(checkPrime);

function modulusOf({ key }: ClientKey): Buffer | undefined {
  const { n } = key.export({ format: "jwk" });
  return n === undefined ? undefined : Buffer.from(n, "base64url");
}

/** The key, or in a sentence why it is none. */
function readPublicKey(value: unknown): PublicClientKey | string {
  if (typeof value !== "object" || value === null) return "The key is a JWK, a JSON object.";
  const jwk = value as JsonWebKey & Record<string, unknown>;
  if (PRIVATE_MEMBERS.some((member) => jwk[member] !== undefined)) {
    return "This is a private key, which only its client may have. Register the public part.";
  }
  const kind = kindOf(jwk);
  if (!kind) return "The key is of P-256, Ed25519 or RSA.";
  const { use, key_ops: operations } = jwk as { use?: unknown; key_ops?: unknown };
  const verifies = operations === undefined || isListWith(operations, "verify");
  if ((use ?? "sig") !== "sig" || !verifies) return "The key is not one for signatures.";
  const named = jwk["alg"] === "EdDSA" ? "Ed25519" : (jwk["alg"] ?? kind.algorithms[0]);
  const algorithm = kind.algorithms.find((name) => name === named);
  if (!algorithm) return `alg is ${kind.algorithms.join(" or ")} for this key.`;

  const material: Record<string, unknown> = {};
  for (const member of kind.material) material[member] = jwk[member];
  const key = importKey(material);
  if (!key) return "The key's numbers are not written as RFC 7518 §6 wants, or are no key.";
  const weak = judgedOnce(material);
  if (weak !== undefined) return weak;

  // A published key whose certificate is not its own is a key without one.
  const certificate = certificateIn(jwk, key) || undefined;
  const kid = jwk["kid"] ?? certificate ?? thumbprint(material);
  if (typeof kid !== "string" || !KID.test(kid)) {
    return "kid is 1 to 128 printable ASCII characters without spaces.";
  }
  const publicJwk = {
    ...(material as JWK),
    kid,
    alg: algorithm,
    use: "sig",
    ...(certificate !== undefined && { "x5t#S256": certificate }),
  };
  return { kid, algorithm, key, ...(certificate !== undefined && { certificate }), publicJwk };
}

const SHA256_BASE64URL = /^[\w-]{42}[AEIMQUYcgkosw048]$/;

/** Its thumbprint, or false for what is none of this key. Who issued it is not asked: it is registered itself (RFC 8705 §2.2). */
function certificateIn(
  { x5c, "x5t#S256": named }: Record<string, unknown>,
  key: KeyObject,
): string | undefined | false {
  if (named !== undefined && !(typeof named === "string" && SHA256_BASE64URL.test(named))) {
    return false;
  }
  if (x5c === undefined) return named;
  const [first] = Array.isArray(x5c) ? (x5c as unknown[]) : [];
  const der = Buffer.from(typeof first === "string" ? first : "", "base64");
  try {
    const { raw, publicKey } = new X509Certificate(der);
    const hash = createHash("sha256").update(der).digest("base64url");
    const isIts = raw.equals(der) && publicKey.equals(key) && der.toString("base64") === first;
    return isIts && (named ?? hash) === hash && hash;
  } catch {
    return false;
  }
}

/** A millisecond or two for an RSA key, and a client's keys are read with it again and again. */
const judged = new LRUCache<string, { fault: string | undefined }>({ max: 2000 });

function judgedOnce(material: Readonly<Record<string, unknown>>): string | undefined {
  const name = thumbprint(material);
  const known = judged.get(name) ?? { fault: weakness(material) };
  judged.set(name, known);
  return known.fault;
}

function kindOf({ kty, crv }: JsonWebKey): KeyKind | undefined {
  const name = kty === "RSA" ? "RSA" : `${String(kty)} ${String(crv)}`;
  return Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
}

/** Undefined when a member is missing or misspelled, or a point is not on its curve. */
function importKey(material: Record<string, unknown>): KeyObject | undefined {
  for (const member of ["x", "y", "n", "e"]) {
    const text = material[member];
    if (text === undefined && !(member in material)) continue;
    if (typeof text !== "string" || !isCanonical(text)) return undefined;
    if ((member === "x" || member === "y") && text.length !== COORDINATE_LENGTH) return undefined;
  }
  try {
    return createPublicKey({ format: "jwk", key: material });
  } catch {
    return undefined;
  }
}

function isCanonical(text: string): boolean {
  return text !== "" && Buffer.from(text, "base64url").toString("base64url") === text;
}

/** RFC 7638: the members in lexicographic order, without spaces, hashed. */
function thumbprint(material: Record<string, unknown>): string {
  return createHash("sha256").update(JSON.stringify(material)).digest("base64url");
}

function isListWith(value: unknown, item: string): boolean {
  return Array.isArray(value) && value.includes(item);
}
