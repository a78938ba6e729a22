/**
 * What the resource-server counts beside its requests' durations. Outcomes are read off the fields of
 * each request's log line, and states off what holds them, so that no feature knows it is measured.
 */
import type { Metrics } from "@daykey/service/observe/metrics";
import type { RevocationFeed } from "@daykey/guard/revocation/revocations";
import type { QuotaDecision } from "@daykey/guard/quota/quota";

export function measureResourceServer(
  metrics: Metrics,
  { feed }: { feed: Pick<RevocationFeed, "ageSeconds" | "size"> },
): void {
  countAccess(metrics);
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

/** @returns what counts one decision */
export function quotaDecisions(metrics: Metrics): (decision: QuotaDecision) => void {
  const count = metrics.counter({
    name: "quota_decisions_total",
    help: "Requests with a quota, by what became of them; store_down: decided without the store",
    labels: ["decision"],
    // What the alert rules of deploy/prometheus read.
    from: [{ decision: "store_down" }],
  });
  return (decision) => count({ decision });
}

function countAccess(metrics: Metrics): void {
  const count = metrics.counter({
    name: "access_total",
    help: "Requests that need a scope, by credential and result: granted, or the reason of the refusal",
    labels: ["via", "result"],
  });
  metrics.onRequest(({ status, fields }) => {
    const { client, reason, via } = fields;
    // A client that got in and failed later has a reason too.
    const isIn = client !== undefined && status !== 401 && status !== 403;
    if (!isIn && typeof reason !== "string") return;
    const brought = reason === "no_credential" ? "none" : "access_token";
    count({
      via: typeof via === "string" ? via : brought,
      result: isIn ? "granted" : String(reason),
    });
  });
}
