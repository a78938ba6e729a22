/**
 * Counters of quotas in this process: for a server without a store of its own, and while its store is
 * down. Each instance counts for itself and begins anew at a restart.
 */
import type { Clock } from "@daykey/common/clock";
import { LRUCache } from "lru-cache";
import { type QuotaStore, resetSeconds } from "./quota-store.ts";

/** Only clients with a quota have counters; the least recently used are dropped beyond these. */
const MAX_COUNTERS = 100_000;

export function createMemoryQuota(clock: Clock): QuotaStore {
  const counters = new LRUCache<string, { startsAt: number; used: number }>({ max: MAX_COUNTERS });

  return {
    charge(windows) {
      const now = clock();
      const current = windows.map(({ counter, seconds }) => {
        const startsAt = Math.floor(now / seconds) * seconds;
        const known = counters.get(counter);
        const used = known?.startsAt === startsAt ? known.used : 0;
        return { counter, startsAt, used, resetSeconds: resetSeconds(now, seconds) };
      });
      const isAdmitted = windows.every(({ limit }, index) => (current[index]?.used ?? 0) < limit);
      if (isAdmitted) {
        for (const window of current) {
          window.used += 1;
          counters.set(window.counter, { startsAt: window.startsAt, used: window.used });
        }
      }
      return Promise.resolve({ isAdmitted, counts: current });
    },
    clean: () => Promise.resolve(),
  };
}
