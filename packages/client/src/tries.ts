/**
 * Trying again, without hammering. A fault that may pass (no connection, no answer, 5xx, 429) is tried
 * three times at once, quickly. What fails even so, and every other refusal, begins a pause, in which
 * nothing is sent and the last error is told again; it grows with each failure, and lasts at least as
 * long as the server asked for.
 */
import { pauseSeconds } from "./backoff.ts";
import { DaykeyError } from "./errors.ts";
import type { Platform } from "./platform.ts";

export interface Tries {
  /** @throws {DaykeyError} the last failure's, while pausing; or that of the last try */
  run<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T>;
}

const QUICK_PAUSES_SECONDS = [0.25, 1];
/** A server that asks for more is not waited for: the caller is told. */
const LONGEST_QUICK_PAUSE_SECONDS = 2;

export function createTries({
  platform,
  timeoutSeconds,
}: {
  platform: Platform;
  /** After so long no other try is begun. */
  timeoutSeconds: number;
}): Tries {
  let failures = 0;
  let pause: { error: DaykeyError; from: number; until: number } | undefined;

  /** A clock that was set back ends the pause. */
  function remainingSeconds(): number {
    if (!pause) return 0;
    const now = platform.clock();
    return now < pause.from ? 0 : Math.max(pause.until - now, 0);
  }

  function beginPause(error: DaykeyError): void {
    failures += 1;
    const from = platform.clock();
    const length = Math.max(
      pauseSeconds(failures, platform.random()),
      error.retryAfterSeconds ?? 0,
    );
    pause = { error, from, until: from + length };
  }

  async function tryQuickly<T>(
    work: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const begunAt = platform.clock();
    for (const quickPause of QUICK_PAUSES_SECONDS) {
      try {
        return await work(signal);
      } catch (error) {
        const own = quickPause * (0.5 + platform.random() / 2);
        const seconds = Math.max(own, (error as Partial<DaykeyError>).retryAfterSeconds ?? 0);
        const isLate = platform.clock() - begunAt >= timeoutSeconds;
        if (!mayPass(error) || isLate || seconds > LONGEST_QUICK_PAUSE_SECONDS) throw error;
        await platform.wait(seconds, signal);
      }
    }
    return work(signal);
  }

  return {
    async run(work, signal) {
      const retryAfterSeconds = remainingSeconds();
      if (pause && retryAfterSeconds > 0) throw again(pause.error, retryAfterSeconds);
      try {
        const result = await tryQuickly(work, signal);
        failures = 0;
        pause = undefined;
        return result;
      } catch (error) {
        if (error instanceof DaykeyError) beginPause(error);
        throw error;
      }
    },
  };
}

function mayPass(error: unknown): boolean {
  if (!(error instanceof DaykeyError)) return false;
  const { code, status = 0 } = error;
  return code === "network" || code === "timeout" || status >= 500 || status === 429;
}

function again(error: DaykeyError, retryAfterSeconds: number): DaykeyError {
  const { code, message, status, oauthError, description } = error;
  const details = { status, oauthError, description, retryAfterSeconds, cause: error };
  return new DaykeyError(code, message, details);
}
