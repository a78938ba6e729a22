/**
 * How many requests one address may make in a second (D2), in this process's memory. It stands before
 * anything of a request is read, so that a flood costs a count each; a client's own quota is another
 * matter, and comes after authentication.
 */
import { problem } from "./problem-error.ts";
import type { AppState } from "./router.ts";

/**
 * @param requestsPerSecond 0 lets everything pass
 * @returns what counts a request, and throws a ProblemError (429) for one too many. `uncount` of its
 *   state gives the count back, so that who may ask more needs only room to begin.
 */
export function createAddressLimit(requestsPerSecond: number): (state: AppState) => void {
  let second = 0;
  let counts = new Map<string, number>();
  return (state) => {
    if (requestsPerSecond === 0) return;
    const now = Math.floor(performance.now() / 1000);
    if (now !== second) {
      second = now;
      counts = new Map();
    }
    const key = state.addressKey;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    const counted = counts;
    state.uncount = () => void counted.set(key, Math.max(0, (counted.get(key) ?? 0) - 1));
    if (count <= requestsPerSecond) return;
    // A flood must not flood the log as well: its first refusal in a second is told.
    if (count > requestsPerSecond + 1) state.quiet = true;
    throw problem("too-many-requests", {
      detail: "Too many requests come from this address. Try again later.",
      reason: "too_many_of_address",
      headers: { "Retry-After": "1" },
    });
  };
}
