/**
 * Limits on bad credentials, in this instance's memory (docs/explanation/security.md). Counted by client id and
 * address together: a stranger at another address locks nobody out, and an id that does not exist is
 * counted like one that does. Only failures count. What is checked at the same time is judged again by
 * its outcome, so guesses that come at once learn no more than guesses that come one after another, and
 * nobody waits for anybody.
 */
import type { Clock } from "@daykey/common/clock";
import { OAuthError } from "@daykey/common/oauth-error";
import { createWindows } from "../clients/windows.ts";

/** One credential that is being checked. Every call throws `slow_down` once the pair is at its limit. */
export interface Attempt {
  /** It was a good one. @throws {OAuthError} slow_down: too many others have failed meanwhile */
  passed(): void;
  /**
   * It was a bad one; also after it had passed, as for a hash that was used before.
   * @throws {OAuthError} slow_down: it is one more than may fail
   */
  failed(): void;
}

export interface Attempts {
  /** @throws {OAuthError} slow_down (429, Retry-After) after too many failures of this pair */
  begin(clientId: string, address: string): Attempt;
}

/** @param options.elapsed seconds of a clock that nobody sets */
export function createAttempts({
  failures,
  windowSeconds,
  elapsed,
}: {
  failures: number;
  windowSeconds: number;
  elapsed?: Clock;
}): Attempts {
  const failed = createWindows({ limit: failures, windowSeconds, elapsed });

  function requireRoom(key: string): void {
    const seconds = failed.full(key);
    if (seconds !== undefined) throw slowDown(seconds);
  }

  return {
    begin(clientId, address) {
      const key = `${address} ${clientId}`;
      requireRoom(key);
      return {
        passed: () => requireRoom(key),
        failed() {
          requireRoom(key);
          failed.count(key);
        },
      };
    },
  };
}

function slowDown(seconds: number): OAuthError {
  return new OAuthError("slow_down", "Too many failed attempts. Try again later.", {
    detail: "too_many_failures",
    headers: { "Retry-After": String(Math.max(1, Math.ceil(seconds))) },
  });
}
