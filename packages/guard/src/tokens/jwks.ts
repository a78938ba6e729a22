/**
 * The issuer's public keys (RFC 7517), fetched from the one configured address and kept: keys that
 * are old serve on through an outage of the auth-server, and a flood of unknown kids costs one fetch
 * a cooldown, which delays no fetch but its own. No token ever says where to fetch.
 */
import { readWithin } from "@daykey/common/read-within";
import type { Fetch } from "@daykey/client/internal/platform";
import { type CryptoKey, importJWK, type JWK } from "jose";
import type { Clock } from "@daykey/common/clock";
import { withDeadline } from "@daykey/common/deadline";
import { PlainError } from "@daykey/common/own-message";
import type { SigningAlgorithm } from "@daykey/common/protocol";
import { weakness } from "@daykey/common/weak-keys";
import type { GuardLog } from "../log.ts";

export interface VerificationKey {
  kid: string;
  /** The names that a token may call its algorithm: two for an Ed25519 key, else one. */
  algorithms: readonly SigningAlgorithm[];
  key: CryptoKey;
}

/** There is no key of the issuer, so nothing can be said about any token. */
export class KeysUnavailable extends Error {
  override readonly name = "KeysUnavailable";
}

/** Whichever method is called, keys that are old are fetched anew beside it. */
export interface Jwks {
  /**
   * The key of this kid; for one that is not known, after a fetch if an unknown one was not the reason
   * for another just before.
   * @throws {KeysUnavailable}
   */
  find(kid: string): Promise<VerificationKey | undefined>;
  /** Whether the newest key set still has this kid. */
  has(kid: string): boolean;
  /** Whether there is any key. */
  isLoaded(): boolean;
  /**
   * A signing key was revoked, so that its successor signs: a set that still has it is fetched anew at
   * once, and for some seconds as often as each second, whatever strangers sent before.
   */
  heardRevoked(kid: string): void;
}

/** An Ed25519 key is called by either name, in a key set, a token and the settings (RFC 9864 §2.2). */
const NAMES: readonly (readonly SigningAlgorithm[])[] = [
  ["ES256"],
  ["RS256"],
  ["Ed25519", "EdDSA"],
];

const REFRESH_SECONDS = 300;
const COOLDOWN_SECONDS = 30;
/** Without any key, or without the one that signs now, requests fail, so it is tried more often. */
const URGENT_COOLDOWN_SECONDS = 1;
const FETCH_TIMEOUT_SECONDS = 3;
const MAX_BYTES = 256 * 1024;

export function createJwks({
  uri,
  algorithms,
  fetch,
  clock,
  log,
}: {
  uri: string;
  /** Keys of other algorithms are passed over. */
  algorithms: readonly SigningAlgorithm[];
  fetch: Fetch;
  clock: Clock;
  log: GuardLog;
}): Jwks {
  let keys = new Map<string, VerificationKey>();
  /** When what was fetched last was asked for; -Infinity when it is known to be outdated. */
  let fetchedAt = -Infinity;
  let refreshTriedAt = -Infinity;
  /** The last fetch that an unknown kid, which anybody can send, made this server do. */
  let unknownTriedAt = -Infinity;
  let newsAt = -Infinity;
  let newsHeard = 0;
  let fetching: Promise<void> | undefined;

  /** Shared by all who ask meanwhile; a failure is logged and leaves what was there. */
  function fetchOnce(): Promise<void> {
    fetching ??= fetchWithNews().finally(() => (fetching = undefined));
    return fetching;
  }

  /** What was asked for before the news may be from before it too, and is asked for again. */
  async function fetchWithNews(): Promise<void> {
    let heardBefore: number;
    do {
      heardBefore = newsHeard;
      const askedAt = clock();
      try {
        keys = await withDeadline((signal) => fetchKeys(fetch, uri, algorithms, signal), {
          seconds: FETCH_TIMEOUT_SECONDS,
        });
        if (newsHeard === heardBefore) fetchedAt = askedAt;
      } catch (error) {
        log.warn({ event: "jwks_unread", err: error }, "cannot fetch the issuer's keys");
      }
    } while (newsHeard !== heardBefore);
  }

  /** A clock that was set back makes everything old. */
  function secondsSince(at: number): number {
    const passed = clock() - at;
    return passed < 0 ? Infinity : passed;
  }

  /** After news each second counts; the instance that answers may learn it a little later than the feed. */
  function cooldownSeconds(): number {
    const isUrgent =
      keys.size === 0 || fetchedAt === -Infinity || secondsSince(newsAt) < COOLDOWN_SECONDS;
    return isUrgent ? URGENT_COOLDOWN_SECONDS : COOLDOWN_SECONDS;
  }

  function refresh(): void {
    const isOld = keys.size === 0 || secondsSince(fetchedAt) >= REFRESH_SECONDS;
    if (!isOld || secondsSince(refreshTriedAt) < cooldownSeconds()) return;
    refreshTriedAt = clock();
    void fetchOnce();
  }

  return {
    has(kid) {
      refresh();
      return keys.has(kid);
    },
    isLoaded() {
      refresh();
      return keys.size > 0;
    },
    async find(kid) {
      refresh();
      const known = keys.get(kid);
      if (known) return known;
      if (fetching) await fetching;
      else if (keys.size > 0 && secondsSince(unknownTriedAt) >= cooldownSeconds()) {
        unknownTriedAt = clock();
        await fetchOnce();
      }
      if (keys.size === 0) throw new KeysUnavailable("there is no key of the issuer");
      return keys.get(kid);
    },
    heardRevoked(kid) {
      if (!keys.has(kid) && !fetching) return;
      newsHeard += 1;
      newsAt = clock();
      fetchedAt = -Infinity;
      unknownTriedAt = -Infinity;
      refreshTriedAt = newsAt;
      void fetchOnce();
    },
  };
}

async function fetchKeys(
  fetch: Fetch,
  uri: string,
  algorithms: readonly SigningAlgorithm[],
  signal: AbortSignal,
): Promise<Map<string, VerificationKey>> {
  const response = await fetch(uri, {
    redirect: "error",
    headers: { accept: "application/jwk-set+json, application/json" },
    signal,
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new PlainError(`the key set was answered with ${response.status}, not 200`);
  }
  const set = parseSet(await readLimited(response));
  if (!Array.isArray(set.keys)) throw new PlainError("the key set has no keys");
  const keys = new Map<string, VerificationKey>();
  for (const jwk of set.keys as unknown[]) {
    const key = await toVerificationKey(jwk, algorithms);
    if (key) keys.set(key.kid, key);
  }
  return keys;
}

function parseSet(text: string): { keys?: unknown } {
  try {
    return Object(JSON.parse(text)) as { keys?: unknown };
  } catch {
    throw new PlainError("the key set is not JSON");
  }
}

async function readLimited({ body }: Response): Promise<string> {
  const bytes = await readWithin(body, MAX_BYTES);
  if (!bytes) throw new PlainError("the key set is too large");
  return Buffer.from(bytes.buffer).toString("utf8");
}

/** Undefined for a key that is not a sound public signing key of a known algorithm with a kid. */
async function toVerificationKey(
  member: unknown,
  algorithms: readonly SigningAlgorithm[],
): Promise<VerificationKey | undefined> {
  if (typeof member !== "object" || member === null) return undefined;
  const jwk = member as JWK;
  const names = NAMES.find((group) => group.some((name) => name === jwk.alg));
  const algorithm = names?.find((name) => algorithms.includes(name));
  if (!names || !algorithm || typeof jwk.kid !== "string") return undefined;
  if (jwk.use !== undefined && jwk.use !== "sig") return undefined;
  // Whoever can put a key into the set need not be able to make one that anybody can sign with.
  if (weakness(jwk) !== undefined) return undefined;
  try {
    const key = await importJWK(jwk, algorithm);
    // A secret becomes bytes, and a private key one that signs.
    if (key instanceof Uint8Array || !key.usages.includes("verify")) return undefined;
    return { kid: jwk.kid, algorithms: names, key };
  } catch {
    return undefined;
  }
}
