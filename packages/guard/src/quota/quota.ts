/**
 * Charging a request to the quotas of its client and key (docs/protocol.md §6), once it is known whose
 * it is and that it has the scope. Without a quota nothing is counted and no store asked.
 */
import type { Access } from "../access.ts";
import { Refused } from "../refused.ts";
import type { ChargeWindows } from "./charge.ts";
import { type RouteQuota, windowsOf } from "./policy.ts";
import type { Usage } from "./usage.ts";

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

export function createQuota({
  charge,
  usage,
}: {
  charge: ChargeWindows;
  /** Undefined: usage is not reported. */
  usage: Pick<Usage, "count"> | undefined;
}): ChargeQuota {
  return async (access, scope, route) => {
    const windows = windowsOf(access, scope, route);
    if (windows.length === 0) {
      usage?.count(access.clientId, scope, "served");
      return NOT_COUNTED;
    }
    const { outcome, headers } = await charge(windows);
    if (outcome === "unavailable") {
      throw new Refused("quota-unavailable", { reason: "quota_store_down", headers });
    }
    usage?.count(access.clientId, scope, outcome === "refused" ? "refused" : "served");
    if (outcome !== "refused") return { headers, wouldRefuse: outcome === "would_refuse" };
    throw new Refused("quota-exceeded", {
      detail: "Try again after the seconds in Retry-After.",
      reason: "quota_exceeded",
      headers,
    });
  };
}
