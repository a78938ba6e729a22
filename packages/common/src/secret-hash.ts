/**
 * The client secret and its salted, date-bound hash (docs/protocol.md §1), as pure rules: how a
 * secret is written, which bytes are hashed, how the forms of `client_secret_hash` look.
 * Clients build a hash with the async functions here, over whatever hash primitives they have;
 * the auth-server checks one in `authentication/authenticate-secret-hash.ts`.
 */
import { fromHex, toBase62, toHex, utf8, xor } from "./bytes.ts";
import { formatDate, formatInstant, parseInstant } from "./clock.ts";

/** SHA-256 and HMAC-SHA-256, synchronous (node:crypto) or not (WebCrypto). */
export interface HashPrimitives {
  sha256(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
  hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** Argon2id's cost for chosen secrets: memory in KiB, passes, lanes, output bytes. */
export const ARGON2ID = { memoryKiB: 19_456, passes: 2, parallelism: 1, hashBytes: 32 } as const;

/** Length bounds of a chosen secret, in UTF-8 bytes. */
export const CHOSEN_SECRET_BYTES = { min: 12, max: 128 } as const;

const KID = /^[a-z0-9]{8}$/;
const SALT = /^[0-9a-f]{32}$/;
const NONCE = /^[0-9a-f]{32}$/;
const GENERATED_SECRET = /^dks_([a-z0-9]{8})_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/;
const SEED_HASH = /^[0-9a-f]{40}$/;
const DAY_KEY_BYTES = 32;
const RANDOM_DIGITS = 43;
const CHECKSUM_DIGITS = 6;

export function isKid(text: string): boolean {
  return KID.test(text);
}

export function isSalt(text: string): boolean {
  return SALT.test(text);
}

/**
 * `dks_<kid>_<43 base 62>`: a generated secret without its checksum. `random` is 32 bytes. The whole
 * secret has 63 bytes: HMAC hashes a key of more than 64 first (RFC 2104 §2), and the SHA-256 of such
 * a secret would be as good as the secret.
 */
export function secretBody(kid: string, random: Uint8Array): string {
  if (!isKid(kid) || random.length !== 32) throw new TypeError("secretBody: bad kid or length");
  return `dks_${kid}_${toBase62(random, RANDOM_DIGITS)}`;
}

/**
 * A generated secret, or an API key: its body and, for typing mistakes and secret scanners, the first
 * four bytes of S(body) in 6 digits of base 62.
 */
export async function formatSecret(
  { sha256 }: Pick<HashPrimitives, "sha256">,
  body: string,
): Promise<string> {
  return `${body}_${checksumOf(await sha256(utf8(body)))}`;
}

/** The checksum of a secret or key whose body has this SHA-256. */
export function checksumOf(digest: Uint8Array): string {
  return toBase62(digest.subarray(0, 4), CHECKSUM_DIGITS);
}

/** The body of a generated secret or an API key. */
export function withoutChecksum(secret: string): string {
  return secret.slice(0, -CHECKSUM_DIGITS - 1);
}

/** Whether a generated secret ends in its checksum; false for one that was cut or mistyped. */
export async function hasChecksum(
  hash: Pick<HashPrimitives, "sha256">,
  secret: string,
): Promise<boolean> {
  return (await formatSecret(hash, withoutChecksum(secret))) === secret;
}

/** The kid in a generated secret, judged by its shape alone (the checksum is not checked). */
export function kidOfSecret(text: string): string | undefined {
  return GENERATED_SECRET.exec(text)?.[1];
}

/** A chosen secret is 12 to 128 bytes of NFC text without control characters. */
export function isChosenSecret(text: string): boolean {
  const { length } = utf8(text);
  return (
    length >= CHOSEN_SECRET_BYTES.min &&
    length <= CHOSEN_SECRET_BYTES.max &&
    text.isWellFormed() &&
    text.normalize("NFC") === text &&
    !/\p{Cc}/u.test(text)
  );
}

/** The message whose HMAC under the root is the day key: `YYYY-MM-DD` SP salt. */
export function dayKeyMessage(date: string, salt: string): Uint8Array<ArrayBuffer> {
  return utf8(`${date} ${salt}`);
}

/**
 * The message whose HMAC-SHA-1 under a generated secret is the seed-compatible hash of a date
 * (`YYYY-MM-DD`): `MM/DD/YYYY` SP salt (docs/protocol.md §1.9).
 */
export function seedHashMessage(date: string, salt: string): Uint8Array<ArrayBuffer> {
  const [year, month, day] = date.split("-");
  return utf8(`${month}/${day}/${year} ${salt}`);
}

/** What a one-time hash binds: everything but the proof itself. */
export interface OneTimeContext {
  issuer: string;
  clientId: string;
  kid: string;
  /** `YYYY-MM-DDTHH:MM:SSZ`. */
  when: string;
  /** 32 lowercase hex. */
  nonce: string;
}

/** The message whose HMAC under the day's verifier masks the day key. */
export function oneTimeMessage(context: OneTimeContext): Uint8Array<ArrayBuffer> {
  const { issuer, clientId, kid, when, nonce } = context;
  return utf8(`daykey-once-v1\n${issuer}\n${clientId}\n${kid}\n${when}\n${nonce}\n`);
}

/** A `client_secret_hash` as presented. */
export type PresentedHash =
  | { form: "day"; dayKey: Uint8Array }
  | { form: "seed" }
  | {
      form: "once";
      kid: string;
      when: string;
      /** Epoch seconds of `when`. */
      whenAt: number;
      nonce: string;
      proof: Uint8Array;
    };

/** The parts of a `client_secret_hash`, or undefined when it has none of the forms exactly. */
export function parseSecretHash(text: string): PresentedHash | undefined {
  const key = fromHex(text, DAY_KEY_BYTES);
  if (key) return { form: "day", dayKey: key };
  if (SEED_HASH.test(text)) return { form: "seed" };
  const [kid, when, nonce, proofHex, ...rest] = text.split(".");
  if (kid === undefined || when === undefined || nonce === undefined || proofHex === undefined) {
    return undefined;
  }
  const whenAt = parseInstant(when);
  const proof = fromHex(proofHex, DAY_KEY_BYTES);
  if (rest.length > 0 || !isKid(kid) || !NONCE.test(nonce)) return undefined;
  if (whenAt === undefined || proof === undefined) return undefined;
  return { form: "once", kid, when, whenAt, nonce, proof };
}

/** The day key: H(root, date SP salt). `root` is a generated secret, or the hex of a chosen one's Argon2id. */
export async function dayKey(
  hash: HashPrimitives,
  root: string,
  salt: string,
  date: string,
): Promise<Uint8Array> {
  return hash.hmacSha256(utf8(root), dayKeyMessage(date, salt));
}

/** The day form of `client_secret_hash` at an instant: the 64 hex of that date's day key. */
export async function dayFormHash(
  hash: HashPrimitives,
  secret: { root: string; salt: string },
  epochSeconds: number,
): Promise<string> {
  return toHex(await dayKey(hash, secret.root, secret.salt, formatDate(epochSeconds)));
}

/**
 * The one-time form of `client_secret_hash`: `<kid>.<when>.<nonce>.<proof>`.
 * `nonce` is 16 bytes that were never used before.
 */
export async function oneTimeHash(
  hash: HashPrimitives,
  secret: { root: string; salt: string; kid: string },
  request: { issuer: string; clientId: string; epochSeconds: number; nonce: Uint8Array },
): Promise<string> {
  const key = await dayKey(hash, secret.root, secret.salt, formatDate(request.epochSeconds));
  const verifier = await hash.sha256(key);
  const when = formatInstant(request.epochSeconds);
  const nonce = toHex(request.nonce);
  const { issuer, clientId } = request;
  const message = oneTimeMessage({ issuer, clientId, kid: secret.kid, when, nonce });
  const proof = toHex(xor(key, await hash.hmacSha256(verifier, message)));
  return `${secret.kid}.${when}.${nonce}.${proof}`;
}
