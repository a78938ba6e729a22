/**
 * The live revocations in memory, read whole at every look of the change watcher: never "since last",
 * for neither ids nor now() are in the order of commits. Whoever subscribes is told what is new.
 */
import {
  createRevocationSet,
  type Revocation,
  type RevocationSet,
} from "@daykey/common/revocation";
import type { RevocationsStore } from "./revocations-store.ts";

export interface LiveSet {
  current(): RevocationSet;
  entries(): readonly Revocation[];
  /** Reads the set from the primary. */
  reload(): Promise<void>;
  /** Seconds since the set was read. */
  ageSeconds(): number;
  /** How many are told what is new. */
  subscribers(): number;
  /** @returns a function that ends the subscription */
  subscribe(onAdded: (added: readonly Revocation[]) => void): () => void;
}

export function createLiveSet(store: RevocationsStore): LiveSet {
  let entries: readonly Revocation[] = [];
  let set = createRevocationSet();
  let readAt = -Infinity;
  const subscribers = new Set<(added: readonly Revocation[]) => void>();
  const identity = ({ kind, subject, epoch, expiresAt }: Revocation): string =>
    `${kind} ${subject} ${epoch ?? ""} ${expiresAt ?? ""}`;

  return {
    current: () => set,
    entries: () => entries,
    ageSeconds: () => performance.now() / 1000 - readAt,
    subscribers: () => subscribers.size,
    async reload() {
      const startedAt = performance.now() / 1000;
      const known = new Set(entries.map(identity));
      entries = await store.live();
      set = createRevocationSet(entries);
      readAt = startedAt;
      const added = entries.filter((entry) => !known.has(identity(entry)));
      if (added.length > 0) for (const tell of subscribers) tell(added);
    },
    subscribe(onAdded) {
      subscribers.add(onAdded);
      return () => void subscribers.delete(onAdded);
    },
  };
}
