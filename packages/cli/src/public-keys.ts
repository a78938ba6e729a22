/** Public keys: of a file, for the server; and of a JWKS (RFC 7517), whether validators can use it. */
import { X509Certificate } from "node:crypto";
import { CliError, EXIT, usageError } from "./exit.ts";
import { readIfThere } from "./private-file.ts";

const ALGORITHMS: Record<string, object> = {
  ES256: { name: "ECDSA", namedCurve: "P-256" },
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  Ed25519: { name: "Ed25519" },
  EdDSA: { name: "Ed25519" },
};

/** What is wrong with the member `keys`, in a few words; undefined when nothing is. */
export async function faultInKeys(keys: unknown): Promise<string | undefined> {
  if (!Array.isArray(keys) || keys.length === 0) return "the JWKS holds no key";
  const kids = new Set<unknown>();
  for (const key of keys as Record<string, unknown>[]) {
    const { kid, alg, d } = key;
    if (typeof kid !== "string" || kid === "") return "a key has no kid";
    if (kids.has(kid)) return `two keys have the kid ${kid}`;
    kids.add(kid);
    if (d !== undefined) return `the key ${kid} is published with its private part`;
    const algorithm = typeof alg === "string" ? ALGORITHMS[alg] : undefined;
    if (!algorithm) return `the key ${kid} has an unknown algorithm`;
    if (!(await isPublicKey(key, algorithm))) return `the key ${kid} is not one for ${String(alg)}`;
  }
  return undefined;
}

async function isPublicKey(key: object, algorithm: object): Promise<boolean> {
  try {
    // `alg` is checked; not every WebCrypto knows both names of Ed25519.
    const { alg: _, ...material } = key as Record<string, unknown>;
    await crypto.subtle.importKey("jwk", material, algorithm as never, false, ["verify"]);
    return true;
  } catch {
    return false;
  }
}

/** A JWK. @throws {CliError} for a private key too: it must not leave its machine */
export async function readPublicJwk(file: string): Promise<object> {
  const text = await readIfThere(file);
  if (text === undefined) throw new CliError(EXIT.credential, `${file} is not there`);
  const jwk = parsed(text);
  if (typeof jwk !== "object" || jwk === null) throw usageError(`${file} is not a JWK`);
  if ("d" in jwk || "k" in jwk) {
    throw usageError(
      `${file} holds a private key; nothing was sent`,
      "Give the public half alone.",
    );
  }
  return jwk;
}

/** The key of a certificate in PEM, with the certificate (RFC 7517 §4.7). @throws {CliError} */
export async function readCertificateJwk(file: string): Promise<object> {
  const text = await readIfThere(file);
  if (text === undefined) throw new CliError(EXIT.credential, `${file} is not there`);
  try {
    const { publicKey, raw } = new X509Certificate(text);
    return { ...publicKey.export({ format: "jwk" }), x5c: [raw.toString("base64")] };
  } catch {
    throw usageError(`${file} does not begin with a certificate in PEM`);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
