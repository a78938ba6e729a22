/**
 * The live revocations in memory. Each look reads what was written since the last one: changes have one
 * counter, and its numbers are in commit order, so nothing up to a number is missing. Beside the looks one
 * slice of the set after another is compared with the database's, by count and sum of changes; a difference
 * means that the whole set is read anew. Whoever subscribes is told what is new.
 */
import { setImmediate } from "node:timers/promises";
import type { Revocation, RevocationSet } from "@daykey/common/revocation";
import type { Clock } from "@daykey/common/clock";
import type { Log } from "@daykey/service/observe/log";
import { createNumberedSet, type NumberedSet, sliceStart } from "./numbered-set.ts";
import type { NumberedRevocation, RevocationsStore } from "./revocations-store.ts";

export interface LiveSet {
  current(): RevocationSet;
  /** Reads what is new, from the primary. */
  look(look: {
    /** The number of the last change. */
    last: number;
    /** The database's clock, epoch seconds. */
    databaseNow: number;
    /** False when numbers from before mean nothing. */
    isSameOrder: boolean;
  }): Promise<void>;
  /** Seconds since the database was read. */
  ageSeconds(): number;
  /** Calls `tell` each time that entries were missing, or too many, in memory. */
  onGap(tell: () => void): void;
  /** How many are told what is new. */
  subscribers(): number;
  /** @returns a function that ends the subscription */
  subscribe(onAdded: (added: readonly Revocation[]) => void): () => void;
}

/** How often a slice is compared. */
const COMPARE_SECONDS = 2;

/** At most this many slices make up the whole set. Each but the last has at least `SLICE_ENTRIES` entries. */
const SLICES = 30;
const SLICE_ENTRIES = 2000;

/** Entries that end so soon are not compared: clean-up may have met them. */
const ENDING_SECONDS = 10;

/** A reread that gets no page for so long is begun anew. */
const STALLED_SECONDS = 30;

/** Entries that are told at once. */
const CHUNK_ENTRIES = 100;

/** Entries that are looked at before other work has its turn. */
const TURN_ENTRIES = 2000;

export function createLiveSet(
  store: RevocationsStore,
  {
    log,
    elapsed = () => performance.now() / 1000,
  }: {
    log: Log;
    /** Seconds of a clock that nobody sets. */
    elapsed?: Clock;
  },
): LiveSet {
  let held = createNumberedSet();
  /** Every change up to this one was read; undefined before the first whole read. */
  let readTo: number | undefined;
  let readAt = -Infinity;
  let comparedAt = -Infinity;
  /** What ends up to this moment was compared in this round. */
  let comparedUpTo = -Infinity;
  let isComparing = false;
  /** Comparisons of one slice in a row that failed. */
  let doubts = 0;
  const gapTellers: (() => void)[] = [];
  let mustReread = false;
  /** The set being read anew beside the one in use, until it takes its place. */
  let reread: { whole: NumberedSet; progressAt: number } | undefined;
  const subscribers = new Set<(added: readonly Revocation[]) => void>();

  /** In chunks, which all feeds share. */
  function tell(added: readonly Revocation[]): void {
    for (let from = 0; from < added.length; from += CHUNK_ENTRIES) {
      const chunk = added.slice(from, from + CHUNK_ENTRIES);
      for (const onAdded of subscribers) onAdded(chunk);
    }
  }

  function take(entries: readonly NumberedRevocation[]): void {
    for (const entry of entries) reread?.whole.add(entry);
    tell(entries.filter((entry) => held.add(entry)));
  }

  /**
   * Reads all pages, each a moment of its own, while news goes to both sets; then the new one is put in the
   * place of the old, after all that is new in it was told.
   */
  async function readWhole(databaseNow: number): Promise<void> {
    const whole = createNumberedSet();
    const mine = { whole, progressAt: elapsed() };
    reread = mine;
    for await (const page of store.live(databaseNow)) {
      if (reread !== mine) return;
      for (const entry of page) whole.add(entry);
      mine.progressAt = elapsed();
    }
    let turn: NumberedRevocation[] = [];
    for (const entry of whole.set.entries() as Iterable<NumberedRevocation>) {
      if (turn.push(entry) < TURN_ENTRIES) continue;
      tell(turn.filter((each) => held.add(each)));
      turn = [];
      await setImmediate();
      if (reread !== mine) return;
    }
    tell(turn.filter((each) => held.add(each)));
    held = whole;
    reread = undefined;
    mustReread = false;
  }

  /** Nobody waits for it. */
  function startReread(databaseNow: number): void {
    const started = readWhole(databaseNow);
    const mine = reread;
    started.catch((error: unknown) => {
      log.warn({ event: "changes_unread", err: error }, "cannot read revocations");
      if (reread === mine) reread = undefined;
    });
  }

  async function readNews(from: number): Promise<number> {
    for (let readFrom = from; ;) {
      const { entries, readTo: to, hasMore } = await store.since(readFrom);
      take(entries);
      if (!hasMore) return to;
      readFrom = to;
    }
  }

  /** Nobody waits for it; a row that changes between the two reads is a doubt, and looked at once more. */
  function compareSlice(change: number, databaseNow: number): void {
    const start = sliceStart(databaseNow + ENDING_SECONDS);
    const after = comparedUpTo === Infinity ? start : Math.max(start, comparedUpTo);
    const slice = held.slice(after, Math.max(SLICE_ENTRIES, held.set.size / SLICES));
    isComparing = true;
    store
      .isSlice(slice, change)
      .then(
        (isSame) => {
          if (isSame) {
            comparedUpTo = slice.upTo;
            doubts = 0;
            return;
          }
          doubts += 1;
          comparedAt = -Infinity;
          if (doubts > 1) noticeGap();
        },
        (error: unknown) =>
          log.warn({ event: "changes_unread", err: error }, "cannot compare revocations"),
      )
      .finally(() => (isComparing = false));
  }

  function noticeGap(): void {
    for (const tellGap of gapTellers) tellGap();
    doubts = 0;
    mustReread = true;
    log.warn({ event: "revocations_gap" }, "revocations were missing in memory");
  }

  /** What goes on beside the looks, begun by one of them. */
  function tendBeside(change: number, databaseNow: number): void {
    const now = elapsed();
    if (reread && now - reread.progressAt > STALLED_SECONDS) {
      log.warn({ event: "changes_unread" }, "reading all revocations makes no progress");
      reread = undefined;
    }
    if (reread || isComparing || now - comparedAt < COMPARE_SECONDS) return;
    comparedAt = now;
    if (mustReread) startReread(databaseNow);
    else compareSlice(change, databaseNow);
  }

  /** Whether an order of changes that is not the one seen before holds the very same entries. */
  async function isSameSet(change: number, databaseNow: number): Promise<boolean> {
    const all = held.slice(sliceStart(databaseNow + ENDING_SECONDS), Infinity);
    return store.isSlice(all, change);
  }

  return {
    current: () => held.set,
    ageSeconds: () => elapsed() - readAt,
    onGap: (tellGap) => void gapTellers.push(tellGap),
    subscribers: () => subscribers.size,
    async look({ last, databaseNow, isSameOrder }) {
      const startedAt = elapsed();
      // A number from before that is beyond the last one belongs to another order.
      let from = readTo !== undefined && readTo <= last ? readTo : undefined;
      if (!isSameOrder) readTo = undefined;
      if (from !== undefined && last > from) from = Math.max(last, await readNews(from));
      // After a mere restart of the database nothing is missing, and one statement shows it. Else nothing
      // in memory says what this order holds, and nobody may call the set fresh until it is read.
      if (from !== undefined && !isSameOrder && !(await isSameSet(from, databaseNow)))
        from = undefined;
      if (from === undefined) {
        await readWhole(databaseNow);
        from = Math.max(last, await readNews(last));
      }
      readTo = from;
      tendBeside(readTo, databaseNow);
      held.prune(databaseNow);
      readAt = startedAt;
    },
    subscribe(onAdded) {
      subscribers.add(onAdded);
      return () => void subscribers.delete(onAdded);
    },
  };
}
