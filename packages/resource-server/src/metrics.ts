/** What the resource-server counts beside its requests' durations: what its guard tells. */
import type { Metrics } from "@daykey/service/observe/metrics";
import type { Guard, GuardMetrics } from "@daykey/guard/guard";

export function measureRevocations(
  metrics: Metrics,
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

export function guardMetrics(metrics: Metrics): GuardMetrics {
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
