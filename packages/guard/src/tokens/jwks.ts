/**
 * The issuer's public keys (RFC 7517), fetched from the one configured address and kept: keys that
 * are old serve on through an outage of the auth-server, and a flood of unknown kids costs one fetch
 * a cooldown. No token ever says where to fetch.
 */
import type { Fetch } from "@daykey/client/platform";
import { type CryptoKey, importJWK, type JWK } from "jose";
import type { Clock } from "@daykey/common/clock";
import { withDeadline } from "@daykey/common/deadline";
import type { SigningAlgorithm } from "@daykey/common/protocol";
import { weakness } from "@daykey/common/weak-keys";
import type { Log } from "@daykey/service/observe/log";

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
   * The key of this kid; for one that is not known, after a fetch if none was tried just before.
   * @throws {KeysUnavailable}
   */
  find(kid: string): Promise<VerificationKey | undefined>;
  /** Whether the newest key set still has this kid. */
  has(kid: string): boolean;
  /** Whether there is any key. */
  isLoaded(): boolean;
}

/** An Ed25519 key is called by either name, in a key set, a token and the settings (RFC 9864 §2.2). */
const NAMES: readonly (readonly SigningAlgorithm[])[] = [
  ["ES256"],
  ["RS256"],
  ["Ed25519", "EdDSA"],
];

const REFRESH_SECONDS = 300;
const COOLDOWN_SECONDS = 30;
/** Without any key every request fails, so it is tried more often. */
const FIRST_COOLDOWN_SECONDS = 1;
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
  log: Log;
}): Jwks {
  let keys = new Map<string, VerificationKey>();
  let fetchedAt = -Infinity;
  let triedAt = -Infinity;
  let fetching: Promise<void> | undefined;

  /** Shared by all who ask meanwhile; a failure is logged and leaves what was there. */
  function fetchOnce(): Promise<void> {
    fetching ??= (async () => {
      triedAt = clock();
      try {
        const askedAt = triedAt;
        keys = await withDeadline((signal) => fetchKeys(fetch, uri, algorithms, signal), {
          seconds: FETCH_TIMEOUT_SECONDS,
        });
        fetchedAt = askedAt;
      } catch (error) {
        log.warn({ event: "jwks_unread", err: error }, "cannot fetch the issuer's keys");
      } finally {
        fetching = undefined;
      }
    })();
    return fetching;
  }

  /** A clock that was set back makes everything old. */
  function secondsSince(at: number): number {
    const passed = clock() - at;
    return passed < 0 ? Infinity : passed;
  }

  function mayFetch(): boolean {
    return secondsSince(triedAt) >= (keys.size > 0 ? COOLDOWN_SECONDS : FIRST_COOLDOWN_SECONDS);
  }

  function refresh(): void {
    const isOld = keys.size === 0 || secondsSince(fetchedAt) >= REFRESH_SECONDS;
    if (isOld && mayFetch()) void fetchOnce();
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
      if (mayFetch() || fetching) await fetchOnce();
      if (keys.size === 0) throw new KeysUnavailable("there is no key of the issuer");
      return keys.get(kid);
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
    throw new Error("the key set was not answered with 200");
  }
  const set = JSON.parse(await readLimited(response)) as { keys?: unknown };
  if (!Array.isArray(set.keys)) throw new Error("the key set has no keys");
  const keys = new Map<string, VerificationKey>();
  for (const jwk of set.keys as unknown[]) {
    const key = await toVerificationKey(jwk, algorithms);
    if (key) keys.set(key.kid, key);
  }
  return keys;
}

async function readLimited(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const body: AsyncIterable<Uint8Array> | undefined = response.body ?? undefined;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > MAX_BYTES) throw new Error("the key set is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
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
