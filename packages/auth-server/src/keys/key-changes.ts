/**
 * What an operator does to the keys: looks at them, begins a rotation before its time, and takes a key
 * away at once because it may be in other hands.
 */
import type { Clock } from "@daykey/common/clock";
import type { KeyFacts, KeyPurpose, KeysStore, StoredKey, Transaction } from "./keys-store.ts";
import { keyInUse, type KeyTimes } from "./rotation.ts";

/** Published and not used yet; in use; no longer used, but what it made may still be good. */
export type KeyState = "next" | "current" | "retired";

export interface ListedKey extends KeyFacts {
  state: KeyState;
}

export interface KeyChanges {
  /** Every key, in the order of their first use. */
  list(): Promise<ListedKey[]>;
  /**
   * Makes a key for access tokens, which is published now and used in `aheadSeconds`; less than the
   * overlap leaves validators behind that do not look for a new kid. `record` is committed with it.
   */
  addSigningKey(options: {
    aheadSeconds: number;
    record: (tx: Transaction, key: StoredKey) => Promise<void>;
  }): Promise<ListedKey>;
  /**
   * Takes a key away, with all it ever made. Where it was in use the next one is used from now on, or
   * one that is made for it. `record` is committed with it.
   */
  revoke(
    kid: string,
    record: (tx: Transaction, revoked: { purpose: KeyPurpose; algorithm: string }) => Promise<void>,
  ): Promise<"revoked" | "unknown">;
}

export function createKeyChanges({
  store,
  makeKey,
  reload,
  clock,
}: {
  store: KeysStore;
  makeKey: (purpose: KeyPurpose, activeAt: number) => Promise<StoredKey>;
  /** Makes this instance use the keys as they are now. */
  reload: () => Promise<void>;
  clock: Clock;
}): KeyChanges {
  async function list(): Promise<ListedKey[]> {
    const keys = await store.list();
    const at = clock();
    return keys.map((key) => ({ ...key, state: stateOf(key, samePurpose(keys, key), at) }));
  }

  return {
    list,

    async addSigningKey({ aheadSeconds, record }) {
      let kid = "";
      await store.change(async () => {
        // Whole seconds: the instants that keys are chosen for are.
        const key = await makeKey("access_token", Math.floor(clock()) + aheadSeconds);
        kid = key.kid;
        return { put: [key], remove: [], record: async (tx) => record(tx, key) };
      });
      await reload();
      const made = (await list()).find((key) => key.kid === kid);
      if (!made) throw new Error("the key that was just made is gone");
      return made;
    },

    async revoke(kid, record) {
      let outcome: "revoked" | "unknown" = "unknown";
      await store.change(async (keys) => {
        const key = keys.find((candidate) => candidate.kid === kid);
        if (!key) return { put: [], remove: [] };
        outcome = "revoked";
        const { purpose, algorithm } = key;
        return {
          put: await replacementsFor(key, samePurpose(keys, key)),
          remove: [kid],
          revoked: purpose === "access_token" ? [kid] : [],
          record: async (tx) => record(tx, { purpose, algorithm }),
        };
      });
      await reload();
      return outcome;
    },
  };

  /** The key that is used in place of `key`; an older one never is again. */
  async function replacementsFor(key: StoredKey, keys: readonly StoredKey[]): Promise<StoredKey[]> {
    const at = clock();
    if (keyInUse(keys, at)?.kid !== key.kid) return [];
    const activeAt = Math.floor(at);
    const [next] = keys
      .filter((other) => other.kid !== key.kid && other.activeAt > at)
      .toSorted((a, b) => a.activeAt - b.activeAt);
    // Validators may know it already.
    return [next ? { ...next, activeAt } : await makeKey(key.purpose, activeAt)];
  }
}

function samePurpose<K extends { purpose: KeyPurpose }>(keys: readonly K[], key: K): K[] {
  return keys.filter(({ purpose }) => purpose === key.purpose);
}

function stateOf(key: KeyTimes, keys: readonly KeyTimes[], at: number): KeyState {
  if (keyInUse(keys, at)?.kid === key.kid) return "current";
  return key.activeAt > at ? "next" : "retired";
}
