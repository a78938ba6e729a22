/**
 * What must outlive a request: counters of quotas, and nonces of signatures. In a store that all
 * instances share they are exact; in this process's memory each instance has its own, and forgets them
 * when it ends.
 */
import type { Clock } from "@daykey/common/clock";
import { createMemoryNonceStore, type NonceStore } from "./keys/nonce-store.ts";
import { createMemoryQuota } from "./quota/memory-quota.ts";
import type { QuotaStore } from "./quota/quota-store.ts";

export interface GuardStore {
  quotas: QuotaStore;
  nonces: NonceStore;
}

export function createMemoryStore(clock: Clock): GuardStore {
  return { quotas: createMemoryQuota(clock), nonces: createMemoryNonceStore(clock) };
}
