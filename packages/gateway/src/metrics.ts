/** What the gateway counts beside its requests' durations. */
import type { Metrics } from "@daykey/service/observe/metrics";
import { HTTP_DOORS } from "./doors.ts";

/** Doors, and what was decided there; the reasons are those of the log. */
export function countDecisions(
  metrics: Metrics,
): (fields: Readonly<Record<string, unknown>>) => void {
  const doors = [...HTTP_DOORS, "envoy-grpc"];
  const count = metrics.counter({
    name: "gateway_decisions_total",
    help: "Questions of proxies by door and decision: allowed, or the reason of the refusal",
    labels: ["door", "decision"],
    // What the alert rules of deploy/prometheus read.
    from: doors.map((door) => ({ door, decision: "untrusted_peer" })),
  });
  return ({ door, reason, status }) => {
    if (typeof door !== "string") return;
    const refused = typeof reason === "string" ? reason : "fault";
    count({ door, decision: status === 200 ? "allowed" : refused });
  };
}
