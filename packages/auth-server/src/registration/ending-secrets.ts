/**
 * How many clients are about to be locked out because their last secret ends, or are since it ended, for
 * who watches.
 */
import type { Clock } from "@daykey/common/clock";
import type { SecretsStore } from "./secrets-store.ts";

/** Counting reads every live secret. */
const EVERY_SECONDS = 3600;

export interface EndingSecrets {
  /** By how soon: "ended", "7d", "30d". Empty until first counted. */
  counts(): Readonly<Record<string, number>>;
  /** Counts, unless that was done within the hour. */
  count(): Promise<void>;
}

export function createEndingSecrets({
  store,
  clock,
}: {
  store: Pick<SecretsStore, "ending">;
  clock: Clock;
}): EndingSecrets {
  let counts: Readonly<Record<string, number>> = {};
  let countedAt = -Infinity;
  return {
    counts: () => counts,
    async count() {
      const now = clock();
      if (now - countedAt < EVERY_SECONDS) return;
      const { ended, week, month } = await store.ending();
      counts = { ended, "7d": week, "30d": month };
      countedAt = now;
    },
  };
}
