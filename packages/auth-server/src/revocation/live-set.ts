/**
 * The live revocations in memory. Each look reads what was written since the last one: changes have one
 * counter, and its numbers are in commit order, so nothing up to a number is missing. Count and sum of
 * the changes are compared with the database's now and then; a difference, or another order of changes,
 * means the whole set. Whoever subscribes is told what is new.
 */
import {
  createRevocationSet,
  type Revocation,
  type RevocationSet,
} from "@daykey/common/revocation";
import type { Clock } from "@daykey/common/clock";
import type { Log } from "@daykey/service/observe/log";
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
  /** How many are told what is new. */
  subscribers(): number;
  /** @returns a function that ends the subscription */
  subscribe(onAdded: (added: readonly Revocation[]) => void): () => void;
}

/** How often the set is compared with the database's. */
const COMPARE_SECONDS = 60;

/** Entries that are told at once. */
const CHUNK_ENTRIES = 100;

/** Entries that end so soon are not compared: clean-up may have met them. */
const ENDING_SECONDS = 60;

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
  let set = createRevocationSet();
  /** Every change up to this one was read; undefined before the first whole read. */
  let readTo: number | undefined;
  let readAt = -Infinity;
  let comparedAt = -Infinity;
  /** The set being read anew beside the one in use, until a look puts it in its place. */
  let reread: { whole?: RevocationSet; from: number } | undefined;
  const subscribers = new Set<(added: readonly Revocation[]) => void>();

  /** In chunks, which all feeds share. */
  function tell(added: readonly Revocation[]): void {
    for (let from = 0; from < added.length; from += CHUNK_ENTRIES) {
      const chunk = added.slice(from, from + CHUNK_ENTRIES);
      for (const onAdded of subscribers) onAdded(chunk);
    }
  }

  async function readWhole(databaseNow: number): Promise<RevocationSet> {
    const whole = createRevocationSet();
    for await (const page of store.live(databaseNow)) for (const entry of page) whole.add(entry);
    return whole;
  }

  /** Pages are not of one moment: what was written after `from` is read once more by its number. */
  async function replaceBy(whole: RevocationSet, from: number, databaseNow: number) {
    const to = await readSince(from, (entries) => {
      for (const entry of entries) whole.add(entry);
    });
    const before = set;
    whole.prune(databaseNow);
    set = whole;
    const added: Revocation[] = [];
    for (const entry of whole.entries()) if (before.add(entry)) added.push(entry);
    tell(added);
    return to;
  }

  /** Nobody waits for it: each look goes on adding what is new to the set in use. */
  function startReread(from: number, databaseNow: number): void {
    const started: { whole?: RevocationSet; from: number } = { from };
    reread = started;
    readWhole(databaseNow).then(
      (whole) => void (started.whole = whole),
      (error: unknown) => {
        log.warn({ event: "changes_unread", err: error }, "cannot read revocations");
        if (reread !== started) return;
        reread = undefined;
        comparedAt = -Infinity;
      },
    );
  }

  async function readSince(
    from: number,
    onPage: (entries: readonly NumberedRevocation[]) => void,
  ): Promise<number> {
    for (let readFrom = from; ;) {
      const { entries, readTo: to, hasMore } = await store.since(readFrom);
      onPage(entries);
      if (!hasMore) return to;
      readFrom = to;
    }
  }

  const readNews = (from: number): Promise<number> =>
    readSince(from, (entries) => tell(entries.filter((entry) => set.add(entry))));

  async function isWhole(upTo: number, databaseNow: number): Promise<boolean> {
    const after = Math.floor(databaseNow) + ENDING_SECONDS;
    const stored = await store.summary(upTo, after);
    let entries = 0;
    let changes = 0;
    for (const entry of set.entries() as Iterable<NumberedRevocation>) {
      if (entry.expiresAt !== undefined && entry.expiresAt <= after) continue;
      entries++;
      changes += entry.change;
    }
    return entries === stored.entries && changes === stored.changes;
  }

  return {
    current: () => set,
    ageSeconds: () => elapsed() - readAt,
    subscribers: () => subscribers.size,
    async look({ last, databaseNow, isSameOrder }) {
      const startedAt = elapsed();
      if (!isSameOrder || readTo === undefined) {
        // Nothing in memory says what this order holds: nobody may call the set fresh until it is read.
        reread = undefined;
        readTo = undefined;
        readTo = Math.max(last, await replaceBy(await readWhole(databaseNow), last, databaseNow));
        comparedAt = startedAt;
      } else if (reread?.whole) {
        const { whole, from } = reread;
        readTo = Math.max(last, await replaceBy(whole, from, databaseNow));
        reread = undefined;
        comparedAt = startedAt;
      } else if (last > readTo) {
        readTo = Math.max(last, await readNews(readTo));
      }
      if (!reread && startedAt - comparedAt > COMPARE_SECONDS) {
        readTo = await readNews(readTo);
        comparedAt = startedAt;
        if (!(await isWhole(readTo, databaseNow))) {
          log.warn({ event: "revocations_gap" }, "revocations were missing in memory");
          startReread(readTo, databaseNow);
        }
      }
      set.prune(databaseNow);
      readAt = startedAt;
    },
    subscribe(onAdded) {
      subscribers.add(onAdded);
      return () => void subscribers.delete(onAdded);
    },
  };
}
