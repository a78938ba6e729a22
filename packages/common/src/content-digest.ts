/** `Content-Digest` (RFC 9530): the digest of a message's content, so that a signature can cover it. */
import { isInnerList, parseDictionary, serializeDictionary } from "./structured-fields.ts";

/** SHA-256 and SHA-512, synchronous (node:crypto) or not (WebCrypto). */
export interface DigestPrimitives {
  sha256(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
  sha512(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** The active algorithms of RFC 9530 §5. */
const ALGORITHMS = [
  ["sha-256", "sha256"],
  ["sha-512", "sha512"],
] as const;

/** The field for this content, by SHA-256. */
export async function formatContentDigest(
  { sha256 }: Pick<DigestPrimitives, "sha256">,
  content: Uint8Array,
): Promise<string> {
  const value = await sha256(content);
  return serializeDictionary(new Map([["sha-256", { value, parameters: new Map() }]]));
}

/**
 * Whether a field is the content's: it has SHA-256 or SHA-512, and each of them that it has is right.
 * Other algorithms are passed over, and count for nothing.
 */
export async function isContentDigestOf(
  hash: DigestPrimitives,
  field: string,
  content: Uint8Array,
): Promise<boolean> {
  const dictionary = parseDictionary(field);
  let isKnown = false;
  for (const [name, primitive] of ALGORITHMS) {
    const member = dictionary?.get(name);
    if (member === undefined) continue;
    if (isInnerList(member) || !(member.value instanceof Uint8Array)) return false;
    if (!isEqual(member.value, await hash[primitive](content))) return false;
    isKnown = true;
  }
  return isKnown;
}

/** Nothing here is secret, so the time it takes may show where they differ. */
function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
