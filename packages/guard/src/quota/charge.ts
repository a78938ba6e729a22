/**
 * Charging windows in a store that may be away. Nothing is asked for a window that is known to be used up,
 * and a refused request is counted in none.
 */
import type { Clock } from "@daykey/common/clock";
import { onceIn } from "@daykey/common/once-in";
import { LRUCache } from "lru-cache";
import type { GuardLog } from "../log.ts";
import { rateLimitHeaders, retryAfterSeconds } from "./headers.ts";
import type { Window } from "./policy.ts";
import type { Charged, Count, QuotaStore } from "./quota-store.ts";

export interface QuotaSettings {
  /** Whether quotas refuse, or only say in log and metrics whom they would refuse. */
  mode: "enforce" | "log";
  /** While the store is down: count in this process's memory, or refuse. */
  storeDown: "memory" | "refuse";
}

export type QuotaDecision = "admitted" | "refused" | "would_refuse" | "store_down";

export interface Verdict {
  /** `unavailable`: the store cannot say, and nobody is let through without it. */
  outcome: "admitted" | "refused" | "would_refuse" | "unavailable";
  /** For the answer; `Retry-After` is there where it refuses. */
  headers: Readonly<Record<string, string>>;
}

/** @param windows at least one */
export type ChargeWindows = (windows: readonly Window[]) => Promise<Verdict>;

/** A store that failed is left alone for so long, and nobody waits for it. */
const LEAVE_SECONDS = 1;
const LOG_EVERY_SECONDS = 5;
const REMEMBERED_COUNTERS = 10_000;

export function createChargeWindows({
  store,
  insurance,
  settings: { mode, storeDown },
  elapsed,
  log,
  count,
}: {
  store: QuotaStore;
  /** What counts while the store is down. */
  insurance: QuotaStore;
  settings: QuotaSettings;
  /** Seconds of a clock that nobody sets. */
  elapsed: Clock;
  log: Pick<GuardLog, "error">;
  count: (decision: QuotaDecision) => void;
}): ChargeWindows {
  /** Windows that were full: what they had admitted, and until when that is so. */
  const full = new LRUCache<string, { used: number; until: number }>({ max: REMEMBERED_COUNTERS });
  let downUntil = -Infinity;
  const isLogDue = onceIn(LOG_EVERY_SECONDS, elapsed);

  /** A window never has more room than it had, so what is full stays full until it is over. */
  function knownFull(windows: readonly Window[]): Charged | undefined {
    const now = elapsed();
    const counts = windows.map(({ counter, limit }): Count | undefined => {
      const window = full.get(counter);
      if (!window || now >= window.until || window.used < limit) return undefined;
      return { used: window.used, resetSeconds: window.until - now };
    });
    return counts.some((known) => known) ? { isAdmitted: false, counts } : undefined;
  }

  async function chargeStore(windows: readonly Window[]): Promise<Charged> {
    const askedAt = elapsed();
    const charged = await store.charge(windows);
    windows.forEach(({ counter, limit }, index) => {
      const { used = 0, resetSeconds = 0 } = charged.counts[index] ?? {};
      if (used >= limit) full.set(counter, { used, until: askedAt + resetSeconds });
    });
    return charged;
  }

  /** Undefined when the store cannot say. */
  async function askStore(windows: readonly Window[]): Promise<Charged | undefined> {
    if (elapsed() < downUntil) return undefined;
    try {
      return await chargeStore(windows);
    } catch (error) {
      downUntil = elapsed() + LEAVE_SECONDS;
      if (isLogDue()) {
        log.error({ event: "quota_store_down", err: error }, "quotas cannot be counted");
      }
      return undefined;
    }
  }

  return async (windows) => {
    const isEnforced = mode === "enforce";
    const counted = knownFull(windows) ?? (await askStore(windows));
    if (!counted) {
      count("store_down");
      if (storeDown === "refuse" && isEnforced) {
        return { outcome: "unavailable", headers: { "Retry-After": "1" } };
      }
    }
    const { isAdmitted, counts } = counted ?? (await insurance.charge(windows));
    const refusal = isEnforced ? "refused" : "would_refuse";
    if (counted) count(isAdmitted ? "admitted" : refusal);
    const outcome = isAdmitted ? "admitted" : refusal;
    if (!isEnforced) return { outcome, headers: {} };
    const headers = rateLimitHeaders(windows, counts);
    if (isAdmitted) return { outcome, headers };
    const wait = String(retryAfterSeconds(windows, counts));
    return { outcome, headers: { ...headers, "Retry-After": wait } };
  };
}
