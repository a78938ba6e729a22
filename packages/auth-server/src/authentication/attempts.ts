/**
 * Limits on bad credentials, in this instance's memory (docs/security.md). Counted by client id and
 * address together: a stranger at another address locks nobody out, and an id that does not exist is
 * counted like one that does. Only failures count.
 */
import { RateLimiterMemory } from "rate-limiter-flexible";
import { OAuthError } from "@daykey/common/oauth-error";

export interface Attempts {
  /** @throws {OAuthError} slow_down (429, Retry-After) after too many failures of this pair */
  check(clientId: string, address: string): Promise<void>;
  failed(clientId: string, address: string): Promise<void>;
}

export function createAttempts({
  failures,
  windowSeconds,
}: {
  failures: number;
  windowSeconds: number;
}): Attempts {
  const limiter = new RateLimiterMemory({ points: failures, duration: windowSeconds });
  const keyOf = (clientId: string, address: string): string => `${address} ${clientId}`;
  return {
    async check(clientId, address) {
      const state = await limiter.get(keyOf(clientId, address));
      if (!state || state.consumedPoints < failures) return;
      const seconds = Math.max(1, Math.ceil(state.msBeforeNext / 1000));
      throw new OAuthError("slow_down", "Too many failed attempts. Try again later.", {
        detail: "too_many_failures",
        headers: { "Retry-After": String(seconds) },
      });
    },
    async failed(clientId, address) {
      await limiter.penalty(keyOf(clientId, address));
    },
  };
}
