/**
 * Limits on bad credentials, in this instance's memory (docs/security.md). Counted by client id and
 * address together: a stranger at another address locks nobody out, and an id that does not exist is
 * counted like one that does. Only failures count, but no more credentials of a pair are looked at once
 * than failures are left to it: the others wait for what comes of those, so that guesses that come at
 * once are not more than guesses that come one after another, and a burst of right ones is not refused.
 */
import { RateLimiterMemory } from "rate-limiter-flexible";
import { OAuthError } from "@daykey/common/oauth-error";

/** One credential that is being looked at. */
export interface Attempt {
  /** It was not a bad one, or nobody can say: another of its pair may be looked at. */
  passed(): void;
  /** It was a bad one; also after it had passed, as for a hash that was used before. */
  failed(): Promise<void>;
}

export interface Attempts {
  /**
   * Waits for its turn. The attempt must be told what came of it.
   * @throws {OAuthError} slow_down (429, Retry-After) after too many failures of this pair
   */
  begin(clientId: string, address: string): Promise<Attempt>;
}

/** A pair while anyone of it is looked at or waits. */
interface Pair {
  looking: number;
  waiting: (() => void)[];
  /** One more whenever an attempt ends. */
  ended: number;
}

export function createAttempts({
  failures,
  windowSeconds,
}: {
  failures: number;
  windowSeconds: number;
}): Attempts {
  const limiter = new RateLimiterMemory({ points: failures, duration: windowSeconds });
  const pairs = new Map<string, Pair>();

  /** The next one looks for itself whether it is its turn. */
  function wake(key: string, pair: Pair): void {
    const next = pair.waiting.shift();
    if (next) next();
    else if (pair.looking === 0) pairs.delete(key);
  }

  function attemptOf(key: string, pair: Pair): Attempt {
    let isLooking = true;
    function end(): void {
      if (!isLooking) return;
      isLooking = false;
      pair.looking -= 1;
      pair.ended += 1;
      wake(key, pair);
    }
    return {
      passed: end,
      async failed() {
        await limiter.penalty(key);
        end();
      },
    };
  }

  return {
    async begin(clientId, address) {
      const key = `${address} ${clientId}`;
      for (;;) {
        let pair = pairs.get(key);
        if (!pair) pairs.set(key, (pair = { looking: 0, waiting: [], ended: 0 }));
        const { ended } = pair;
        const state = await limiter.get(key);
        // One ended while that was read, or all did: what was read may be older than its failure.
        if (pair.ended !== ended || pairs.get(key) !== pair) continue;
        const left = failures - (state?.consumedPoints ?? 0);
        if (left <= 0) {
          wake(key, pair);
          throw slowDown(state?.msBeforeNext ?? 0);
        }
        if (pair.looking < left) {
          pair.looking += 1;
          if (pair.looking < left) pair.waiting.shift()?.();
          return attemptOf(key, pair);
        }
        const { waiting } = pair;
        await new Promise<void>((resolve) => void waiting.push(resolve));
      }
    },
  };
}

function slowDown(milliseconds: number): OAuthError {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
  return new OAuthError("slow_down", "Too many failed attempts. Try again later.", {
    detail: "too_many_failures",
    headers: { "Retry-After": String(seconds) },
  });
}
