import type { Clock } from "@daykey/common/clock";

/**
 * A clock that never goes back: while the given one is behind what it once showed, as after it was set
 * back, this one stands still. Equal readings may follow each other.
 */
export function createSteadyClock(clock: Clock): Clock {
  let latest = -Infinity;
  return () => (latest = Math.max(latest, clock()));
}
