/**
 * How many tokens clients with a quota on issuing got, and were refused, for the usage of operators
 * (docs/protocol.md §6.1). Counts wait in this process's memory; a report that was not acknowledged is
 * written again as it is, so that nothing is counted twice.
 */
import { randomUUID } from "node:crypto";
import { type Clock, dayOf, formatDay } from "@daykey/common/clock";
import type { UsageCount, UsageStore } from "../usage/usage-store.ts";

export interface TokenUsage {
  count(clientId: string, outcome: "served" | "refused"): void;
  /** Writes what has been counted since. @throws whatever the store does */
  write(): Promise<void>;
}

/** In the place of a scope: at the issuer, whose scopes are known, no other is called so. */
const TOKENS = "tokens";
/** No client has it. */
const OWN_REPORTS = "";

export function createTokenUsage({
  usage,
  issuer,
  clock,
}: {
  usage: Pick<UsageStore, "add">;
  issuer: string;
  clock: Clock;
}): TokenUsage {
  const reporter = randomUUID();
  let counts = new Map<string, UsageCount>();
  let pending: UsageCount[] = [];
  let seq = 0;

  async function writePending(): Promise<void> {
    if (pending.length === 0) return;
    await usage.add({ resource: issuer, clientId: OWN_REPORTS, reporter, seq, counts: pending });
    pending = [];
  }

  return {
    count(clientId, outcome) {
      const day = formatDay(dayOf(clock()));
      const key = `${day} ${clientId}`;
      const count = counts.get(key) ?? { clientId, day, scope: TOKENS, served: 0, refused: 0 };
      count[outcome] += 1;
      counts.set(key, count);
    },
    async write() {
      await writePending();
      pending = [...counts.values()];
      counts = new Map();
      seq += 1;
      await writePending();
    },
  };
}
