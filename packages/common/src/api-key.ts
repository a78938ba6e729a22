/**
 * API keys and the ids of keys (docs/protocol.md §5), as pure rules. A key is a credential that goes
 * straight to a resource: `dkk_<id>_<32 random bytes>_<checksum>`, written as a generated secret is.
 */
import { toBase62 } from "./bytes.ts";
import { formatSecret, type HashPrimitives } from "./secret-hash.ts";

const KEY_ID = /^[a-z0-9]{12}$/;
const API_KEY = /^dkk_([a-z0-9]{12})_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/;
/** Base 36 digits of epoch seconds that an id begins with: ids of different seconds differ. */
const TIME_DIGITS = 7;
const RANDOM_DIGITS = 5;

/** The id of an API key or a signature key: when it was made, then five random digits. */
export function isKeyId(text: string): boolean {
  return KEY_ID.test(text);
}

/** @param random as many bytes as digits; the bias of `% 36` costs a fraction of a bit */
export function keyIdOf(epochSeconds: number, random: Uint8Array): string {
  if (random.length !== RANDOM_DIGITS) throw new TypeError("keyIdOf: five random bytes are due");
  const time = Math.floor(epochSeconds).toString(36).padStart(TIME_DIGITS, "0");
  return time + Array.from(random, (byte) => (byte % 36).toString(36)).join("");
}

/** An API key. `random` is 32 bytes. */
export async function formatApiKey(
  hash: Pick<HashPrimitives, "sha256">,
  id: string,
  random: Uint8Array,
): Promise<string> {
  if (!isKeyId(id) || random.length !== 32) throw new TypeError("formatApiKey: bad id or length");
  return formatSecret(hash, `dkk_${id}_${toBase62(random, 43)}`);
}

/** The id in an API key, judged by its shape alone (the checksum is not checked). */
export function idOfApiKey(text: string): string | undefined {
  return API_KEY.exec(text)?.[1];
}
