/**
 * Charging a token to its client's quotas on issuing (docs/protocol.md §6.2), once nothing else can refuse
 * it. A client without one is not counted, and no store is asked.
 */
import { OAuthError } from "@daykey/common/oauth-error";
import { type Quota, QUOTA_WINDOWS } from "@daykey/common/quota";
import type { ChargeWindows } from "@daykey/guard/quota/charge";
import type { Window } from "@daykey/guard/quota/policy";
import type { Client } from "../clients/client.ts";
import type { TokenUsage } from "./usage.ts";

/**
 * @returns fields for the answer
 * @throws {OAuthError} slow_down (429) when a window has no room, temporarily_unavailable (503) when the store
 *   cannot say; both with Retry-After
 */
export type SpendToken = (
  client: Pick<Client, "clientId" | "tokenQuotas">,
  note: (fields: { quota: "would_refuse" }) => void,
) => Promise<Readonly<Record<string, string>>>;

const NOTHING = {};

export function createSpendToken({
  charge,
  usage,
}: {
  charge: ChargeWindows;
  usage: Pick<TokenUsage, "count">;
}): SpendToken {
  return async ({ clientId, tokenQuotas = [] }, note) => {
    if (tokenQuotas.length === 0) return NOTHING;
    const { outcome, headers } = await charge(
      tokenQuotas.map((quota) => windowOf(clientId, quota)),
    );
    if (outcome === "unavailable") {
      throw new OAuthError("temporarily_unavailable", "Quotas cannot be counted now. Try again.", {
        detail: "quota_store_down",
        headers,
      });
    }
    usage.count(clientId, outcome === "refused" ? "refused" : "served");
    if (outcome === "would_refuse") note({ quota: outcome });
    if (outcome !== "refused") return headers;
    throw new OAuthError(
      "slow_down",
      "The client's quota of tokens is used up. Try again after the seconds in Retry-After.",
      { detail: "token_quota_exceeded", headers },
    );
  };
}

/** Its counter has the client's id in braces, as a resource's have, by which a cluster of Redis keeps them together. */
function windowOf(clientId: string, { limit, window }: Quota): Window {
  const seconds = QUOTA_WINDOWS[window];
  return { counter: `{${clientId}} tokens ${window}`, policy: window, limit, seconds };
}
