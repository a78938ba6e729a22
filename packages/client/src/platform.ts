/** What the SDK takes from where it runs, in one place. A test, or an odd runtime, gives its own. */
import type { Clock } from "@daykey/common/clock";

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** WebCrypto's, by whichever types the program has: only some name it globally. */
export type CryptoKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

export interface Platform {
  fetch: Fetch;
  /** This machine's time in epoch seconds; it may be wrong, see server-clock.ts. */
  clock: Clock;
  /** From 0 up to 1, for jitter alone: nothing secret is made of it. */
  random: () => number;
  /** Resolves after this many seconds; rejects with the signal's reason when it is aborted. */
  wait: (seconds: number, signal: AbortSignal) => Promise<void>;
}

const PLATFORM: Platform = {
  // Not the function itself: some runtimes refuse it as a method of another object.
  fetch: (input, init) => fetch(input, init),
  // oxlint-disable-next-line daykey/no-current-time -- the SDK has no main.ts: this is its only look
  clock: () => Date.now() / 1000,
  random: () => Math.random(),
  wait: (seconds, signal) =>
    new Promise((resolve, reject) => {
      const abort = (): void => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", abort);
        resolve();
      }, seconds * 1000);
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
    }),
};

/** The runtime's own, but for what is given. */
export function platformWith(given: Partial<Platform> = {}): Platform {
  const { fetch: givenFetch } = given;
  return {
    ...PLATFORM,
    ...given,
    ...(givenFetch && { fetch: (input, init) => givenFetch(input, init) }),
  };
}
