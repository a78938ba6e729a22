import { setTimeout } from "node:timers/promises";

import { codeOf, DatabaseUnavailable } from "./database-unavailable.ts";

/** serialization_failure, deadlock_detected: nothing was done, and the same may succeed now. */
const CONFLICTS = new Set(["40001", "40P01"]);

/** A deadlock takes a second to be found, so more would outlast who waits. */
const TRIES = 4;
const FIRST_PAUSE_MS = 10;

/**
 * Runs `work` until it meets no other's, at most four times with growing random pauses. It begins anew
 * each time. @throws {DatabaseUnavailable} when it never did, or what else `work` throws
 */
export async function tryAgain<T>(work: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      if (!CONFLICTS.has(codeOf(error) ?? "")) throw error;
      if (attempt === TRIES) throw new DatabaseUnavailable({ cause: error });
    }
    await setTimeout(Math.random() * FIRST_PAUSE_MS * 2 ** attempt);
  }
}
