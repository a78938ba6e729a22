/**
 * Charging a request to the quotas of its client and key (docs/protocol.md §6), once it is known whose
 * it is and that it has the scope. A refused request is counted in no window. Without a quota nothing is
 * counted and no store asked; nor is it for a window that is known to be used up.
 */
import { onceIn } from "@daykey/common/once-in";
import type { Clock } from "@daykey/common/clock";
import { LRUCache } from "lru-cache";
import type { Access } from "../access.ts";
import type { GuardLog } from "../log.ts";
import { Refused } from "../refused.ts";
import type { Usage } from "./usage.ts";
import { rateLimitHeaders, retryAfterSeconds } from "./headers.ts";
import { type RouteQuota, windowsOf, type Window } from "./policy.ts";
import type { Charged, Count, QuotaStore } from "./quota-store.ts";

/** @throws {Refused} 429 when a window has no room, 503 when the store cannot say */
export type ChargeQuota = (
  access: Access,
  scope: string,
  route?: RouteQuota,
) => Promise<QuotaOutcome>;

export interface QuotaOutcome {
  /** For the answer. */
  headers: Readonly<Record<string, string>>;
  /** It is let through because quotas are not enforced. */
  wouldRefuse: boolean;
}

const NOT_COUNTED: QuotaOutcome = { headers: {}, wouldRefuse: false };

export interface QuotaSettings {
  /** Whether quotas refuse, or only say in log and metrics whom they would refuse. */
  mode: "enforce" | "log";
  /** While the store is down: count in this process's memory, or refuse. */
  storeDown: "memory" | "refuse";
}

export type QuotaDecision = "admitted" | "refused" | "would_refuse" | "store_down";

/** A store that failed is left alone for so long, and nobody waits for it. */
const LEAVE_SECONDS = 1;
const LOG_EVERY_SECONDS = 5;
const REMEMBERED_COUNTERS = 10_000;

export function createQuota({
  store,
  insurance,
  settings: { mode, storeDown },
  elapsed,
  log,
  count,
  usage,
}: {
  store: QuotaStore;
  /** What counts while the store is down. */
  insurance: QuotaStore;
  settings: QuotaSettings;
  /** Seconds of a clock that nobody sets. */
  elapsed: Clock;
  log: GuardLog;
  count: (decision: QuotaDecision) => void;
  /** Undefined: usage is not reported. */
  usage: Pick<Usage, "count"> | undefined;
}): ChargeQuota {
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

  async function chargeWithoutStore(windows: readonly Window[]): Promise<Charged> {
    count("store_down");
    if (storeDown === "memory" || mode === "log") return insurance.charge(windows);
    throw new Refused("quota-unavailable", {
      reason: "quota_store_down",
      headers: { "Retry-After": "1" },
    });
  }

  return async (access, scope, route) => {
    const windows = windowsOf(access, scope, route);
    if (windows.length === 0) {
      usage?.count(access.clientId, scope, "served");
      return NOT_COUNTED;
    }
    const counted = knownFull(windows) ?? (await askStore(windows));
    const { isAdmitted, counts } = counted ?? (await chargeWithoutStore(windows));
    const isEnforced = mode === "enforce";
    if (counted && isAdmitted) count("admitted");
    else if (counted) count(isEnforced ? "refused" : "would_refuse");
    usage?.count(access.clientId, scope, isAdmitted || !isEnforced ? "served" : "refused");
    if (!isEnforced) return { headers: {}, wouldRefuse: !isAdmitted };
    const headers = rateLimitHeaders(windows, counts);
    if (isAdmitted) return { headers, wouldRefuse: false };
    throw new Refused("quota-exceeded", {
      detail: "Try again after the seconds in Retry-After.",
      reason: "quota_exceeded",
      headers: { ...headers, "Retry-After": String(retryAfterSeconds(windows, counts)) },
    });
  };
}
