/** The public keys of a resource-server's answers, from the key set at its own address (RFC 7517). */
import type { HttpSignatureAlgorithm } from "@daykey/common/http-signature";
import { readJsonObject } from "@daykey/common/json-numbers";
import { PATHS } from "@daykey/common/protocol";
import { weakness } from "@daykey/common/weak-keys";
import { boundedFetch } from "./bounded-fetch.ts";
import { DaykeyError } from "./errors.ts";
import type { CryptoKey, Platform } from "./platform.ts";
import { importSignatureKey, type SignatureJwk } from "./web-signature.ts";

export interface AnswerKey {
  algorithm: HttpSignatureAlgorithm;
  key: CryptoKey;
}

export interface AnswerKeys {
  /**
   * The key of this kid; for one that is not known, after a fetch if the last was not just now.
   * @throws {DaykeyError} `network`, `timeout`, `invalid_response`
   */
  find(kid: string): Promise<AnswerKey | undefined>;
}

const REFRESH_SECONDS = 300;
const COOLDOWN_SECONDS = 10;
const TIMEOUT_SECONDS = 10;

/** By the key's curve. */
const ALGORITHMS: Record<string, HttpSignatureAlgorithm> = {
  Ed25519: "ed25519",
  "P-256": "ecdsa-p256-sha256",
};

export function createAnswerKeys({
  origin,
  platform: { fetch, clock },
}: {
  origin: URL;
  platform: Pick<Platform, "fetch" | "clock">;
}): AnswerKeys {
  let keys = new Map<string, AnswerKey>();
  let fetchedAt = -Infinity;
  const never = new AbortController().signal;

  async function fetchKeys(): Promise<Map<string, AnswerKey>> {
    const limits = { timeoutSeconds: TIMEOUT_SECONDS, signal: never };
    const answer = await boundedFetch(fetch, new URL(PATHS.jwks, origin), {}, limits);
    const set = answer.status === 200 ? readJsonObject(answer.text)?.["keys"] : undefined;
    if (!Array.isArray(set)) {
      throw new DaykeyError("invalid_response", "The resource-server has no key set", {
        status: answer.status,
      });
    }
    const found = await Promise.all(set.map(importMember));
    return new Map(found.filter((entry) => entry !== undefined));
  }

  return {
    async find(kid) {
      // A clock that was set back makes everything old.
      const age = clock() - fetchedAt;
      const limit = keys.has(kid) ? REFRESH_SECONDS : COOLDOWN_SECONDS;
      if (age < 0 || age >= limit) {
        keys = await fetchKeys();
        fetchedAt = clock();
      }
      return keys.get(kid);
    },
  };
}

async function importMember(member: unknown): Promise<[string, AnswerKey] | undefined> {
  const jwk = Object(member) as Partial<SignatureJwk & { kid: unknown }>;
  const algorithm = ALGORITHMS[jwk.crv ?? ""];
  if (!algorithm || typeof jwk.kid !== "string" || jwk.kty === undefined) return undefined;
  if (weakness(jwk) !== undefined) return undefined;
  try {
    const key = await importSignatureKey(algorithm, jwk as SignatureJwk, "verify");
    return [jwk.kid, { algorithm, key }];
  } catch {
    return undefined;
  }
}
