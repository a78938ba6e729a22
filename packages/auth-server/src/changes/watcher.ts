/**
 * Keeps this instance's caches right. It reads what has changed since it last looked: on every
 * notification, and every two seconds whether notified or not. Why separate: clients, resources and
 * keys share one order of changes, so one reader serves their three caches.
 */
import type { Clock } from "@daykey/common/clock";
import type { Log } from "@daykey/service/observe/log";
import type { Changes, ChangesStore } from "./changes-store.ts";

const POLL_SECONDS = 2;

/** After a read that failed twice. */
const RETRY_SECONDS = 0.25;

/** Beyond this the instance's clock disagrees with the database's and it is not ready. */
const CLOCK_TOLERANCE_SECONDS = 5;
const CLOCK_FAULT = `its clock differs from this machine's by more than ${CLOCK_TOLERANCE_SECONDS} s`;

export interface ChangeHandlers {
  /** Some clients, or their secrets, changed. */
  clientsChanged(clientIds: readonly string[]): void;
  /** Many clients changed, or the order of changes is not the one seen before, as after a restore. */
  everythingChanged(): void;
  /** At every look, whether anything changed or not. @param look.isSameOrder false: read everything anew */
  everyLook(look: Changes & { isSameOrder: boolean }): Promise<void>;
  /** A resource, a key or a setting changed; they are few and read whole. */
  reload(): Promise<void>;
}

export interface ChangeWatcher {
  /**
   * Resolves when a read that began after this call has ended, so that whoever committed a change and
   * waits for this answers from a server that knows it. Calls that come while a read is under way share
   * the next one. Never rejects: a read that fails is tried once more at once, which mends a broken
   * connection; then a failure is logged, `age` grows, and it is tried again and again beside this.
   */
  look(): Promise<void>;
  /** Calls `onRead` after each read that succeeded. @returns a function that ends the subscription */
  subscribe(onRead: () => void): () => void;
  /** Seconds since the database was last read. */
  ageSeconds(): number;
  /** The database's clock, as far as it is known here. */
  databaseNow(): number;
  /** Why this instance should get no traffic, or undefined. */
  fault(): string | undefined;
  stop(): void;
}

/** Starts watching after one first read. @throws what that first read throws */
export async function startChangeWatcher({
  store,
  handlers,
  clock,
  log,
  staleAfterSeconds,
}: {
  store: ChangesStore;
  handlers: ChangeHandlers;
  clock: Clock;
  log: Log;
  /** From this age on the caches are not to be served from. */
  staleAfterSeconds: number;
}): Promise<ChangeWatcher> {
  let seen: Pick<Changes, "last" | "lastShared" | "source">;
  let readAt = -Infinity;
  let clockOffset = 0;
  let reading: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  let retry: NodeJS.Timeout | undefined;
  let isStopped = false;
  const subscribers = new Set<() => void>();

  async function read(): Promise<void> {
    const startedAt = seconds();
    const changes = await store.since(seen.last);
    const { last, lastShared, source, clientIds, databaseNow } = changes;
    clockOffset = clock() - databaseNow;
    // A restored counter may have overtaken what was seen by now, so its source counts as well.
    const isSameOrder = source === seen.source && last >= seen.last;
    if (isSameOrder && clientIds !== "many") handlers.clientsChanged(clientIds);
    else handlers.everythingChanged();
    await handlers.everyLook({ ...changes, isSameOrder });
    if (!isSameOrder || lastShared !== seen.lastShared) await handlers.reload();
    seen = { last, lastShared, source };
    readAt = startedAt;
    for (const tell of subscribers) tell();
  }

  async function tryToRead(): Promise<void> {
    try {
      await read().catch(read);
    } catch (error) {
      log.warn({ event: "changes_unread", err: error }, "cannot read changes");
      clearTimeout(retry);
      if (!isStopped) retry = setTimeout(() => void look(), RETRY_SECONDS * 1000);
    }
  }

  function look(): Promise<void> {
    next ??= reading.then(() => {
      reading = tryToRead();
      next = undefined;
      return reading;
    });
    return next;
  }

  // What exists already is no news, but keys and resources may have changed since they were read.
  seen = await store.since(Number.MAX_SAFE_INTEGER);
  await handlers.reload();
  await read();
  const timer = setInterval(() => void look(), POLL_SECONDS * 1000);

  return {
    look,
    subscribe(onRead) {
      subscribers.add(onRead);
      return () => void subscribers.delete(onRead);
    },
    ageSeconds: () => seconds() - readAt,
    databaseNow: () => clock() - clockOffset,
    fault() {
      if (seconds() - readAt > staleAfterSeconds) return "cannot be read";
      return Math.abs(clockOffset) > CLOCK_TOLERANCE_SECONDS ? CLOCK_FAULT : undefined;
    },
    stop() {
      isStopped = true;
      clearInterval(timer);
      clearTimeout(retry);
    },
  };
}

/** Monotonic: freshness is a duration, whatever the wall clock does. */
function seconds(): number {
  return performance.now() / 1000;
}
