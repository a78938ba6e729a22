/**
 * Revocations and the numbers of the changes that wrote them. They are counted by when they end, so that any
 * slice of the set can be compared with the database's without a walk.
 */
import { createRevocationSet, type RevocationSet } from "@daykey/common/revocation";
import type { NumberedRevocation, Slice } from "./revocations-store.ts";

export interface NumberedSet {
  /** Read it, and add by the numbered set alone. */
  readonly set: RevocationSet;
  /** @returns false for an entry that is known already, or lower than the known one */
  add(entry: NumberedRevocation): boolean;
  /** Drops what has expired. */
  prune(now: number): void;
  /**
   * The entries that end after this, in the order of their ends, until they are `size`.
   * @param after epoch seconds, from `sliceStart` or the `upTo` of a slice
   */
  slice(after: number, size: number): Slice;
}

/** Ends are counted by tens of seconds. */
const GROUP_SECONDS = 10;

/** Where a first slice may begin that holds nothing which ends by `time`. */
export const sliceStart = (time: number): number => Math.ceil(time / GROUP_SECONDS) * GROUP_SECONDS;

export function createNumberedSet(): NumberedSet {
  const set = createRevocationSet();
  /** By the last moment of a group; what never ends is in the last one. */
  const groups = new Map<number, { entries: number; changes: number }>();

  function count(entry: NumberedRevocation | undefined, by: 1 | -1): void {
    if (!entry) return;
    const end = sliceStart(entry.expiresAt ?? Infinity);
    const { entries, changes } = groups.get(end) ?? { entries: 0, changes: 0 };
    if (entries + by <= 0) groups.delete(end);
    else groups.set(end, { entries: entries + by, changes: changes + by * entry.change });
  }

  return {
    set,
    add(entry) {
      const find = () => set.find(entry.kind, entry.subject) as NumberedRevocation | undefined;
      const before = find();
      const isNew = set.add(entry);
      const after = find();
      if (after !== before) {
        count(before, -1);
        count(after, 1);
      }
      return isNew;
    },
    prune(now) {
      set.prune(now);
      for (const end of groups.keys()) if (end <= now) groups.delete(end);
    },
    slice(after, size) {
      const slice = { after, upTo: Infinity, entries: 0, changes: 0 };
      const ends = [...groups.keys()].filter((end) => end > after);
      for (const end of ends.toSorted((a, b) => a - b)) {
        if (slice.entries >= size) return slice;
        slice.upTo = end;
        slice.entries += groups.get(end)?.entries ?? 0;
        slice.changes += groups.get(end)?.changes ?? 0;
      }
      return { ...slice, upTo: Infinity };
    },
  };
}
