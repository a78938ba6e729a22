/** What counts quotas: for one process in its memory, for many in a store that they share. */
import type { Window } from "./policy.ts";

/** The state of one window. */
export interface Count {
  /** Requests it has admitted, this one among them. */
  used: number;
  /** Until it is over. */
  resetSeconds: number;
}

export interface Charged {
  isAdmitted: boolean;
  /** One a window, in order; undefined of one that was not looked at. */
  counts: readonly (Count | undefined)[];
}

export interface QuotaStore {
  /**
   * Counts a request in each of its windows when all have room, and in none when one has not.
   * @throws whatever the store does when it cannot be reached
   */
  charge(windows: readonly Window[]): Promise<Charged>;
  /** Deletes counters of windows that are over. */
  clean(): Promise<void>;
}

/** @param now epoch seconds of the clock that counts */
export function resetSeconds(now: number, windowSeconds: number): number {
  return windowSeconds - (now % windowSeconds);
}
