/** What a server counts of its guard, and how old its news is: the same names in every server. */
import type { Guard, GuardMetrics } from "./guard.ts";

/** Part of the metrics of our servers: this is all that is needed here. */
interface Registry {
  gauge(metric: { name: string; help: string; read: () => number }): void;
  counter<L extends string>(metric: {
    name: string;
    help: string;
    labels: readonly L[];
    from?: readonly Record<L, string>[];
  }): (labels: Record<L, string>) => void;
}

export function measureRevocations(
  metrics: Registry,
  feed: NonNullable<Guard["revocations"]>,
): void {
  metrics.gauge({
    name: "revocation_feed_age_seconds",
    help: "Time since the revocation feed was heard; above 15 STALE_POLICY decides",
    read: feed.ageSeconds,
  });
  metrics.gauge({
    name: "revocations_known",
    help: "Revocations held in memory",
    read: feed.size,
  });
}

export function guardMetrics(metrics: Registry): GuardMetrics {
  const countQuota = metrics.counter({
    name: "quota_decisions_total",
    help: "Requests with a quota, by what became of them; store_down: decided without the store",
    labels: ["decision"],
    // What the alert rules of deploy/prometheus read.
    from: [{ decision: "store_down" }],
  });
  const countAccess = metrics.counter({
    name: "access_total",
    help: "Requests that need a scope, by credential and result: granted, or the reason of the refusal",
    labels: ["via", "result"],
  });
  return {
    access: (outcome) => countAccess({ ...outcome }),
    quota: (decision) => countQuota({ decision }),
  };
}
