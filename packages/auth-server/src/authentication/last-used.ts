/**
 * When each secret and key was last used, without a write for each use: kept here and written once a
 * minute, and at the end. A crash loses a minute of the record and nothing else.
 */
import type { Clock } from "@daykey/common/clock";
import type { CredentialUse, LastUsedStore } from "./last-used-store.ts";

export interface LastUsed {
  /** A client has just proved itself by the credential of this kid. */
  used(clientId: string, kid: string): void;
  /** Writes what has come together. Whatever it cannot write is kept for the next time. */
  write(): Promise<void>;
}

export function createLastUsed({ store, clock }: { store: LastUsedStore; clock: Clock }): LastUsed {
  let uses = new Map<string, CredentialUse>();

  function keep(use: CredentialUse): void {
    const key = `${use.clientId} ${use.kid}`;
    const known = uses.get(key);
    if (!known || known.usedAt < use.usedAt) uses.set(key, use);
  }

  return {
    used: (clientId, kid) => keep({ clientId, kid, usedAt: clock() }),
    async write() {
      if (uses.size === 0) return;
      const batch = [...uses.values()];
      uses = new Map();
      try {
        await store.record(batch);
      } catch (error) {
        batch.forEach(keep);
        throw error;
      }
    },
  };
}
