/**
 * Group commit: items that arrive while a flush runs wait and share the next one, so that under load
 * one commit carries many items and at rest an item never waits. There is no timer.
 */
import { OWN_MESSAGE } from "./own-message.ts";

/** The store's queue is full: one more item would wait too long. Answered 503, like a store that is away. */
export class StoreOverloaded extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "StoreOverloaded";

  constructor() {
    super("Too many wait for the store.");
  }
}

interface Waiting<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Returns a function that resolves to the item's own result.
 *
 * @param options.flush stores a batch and returns one result an item, in order. One flush runs at a
 * time. When it fails, each item of that batch fails with its error, and the next batch is tried.
 * @param options.keyOf items with equal keys never share a batch: the second waits for the next
 * @param options.maxBatch items a batch at most
 * @param options.maxWaiting items that may wait; one more is refused with `StoreOverloaded`
 */
export function createGroupCommit<T, R>({
  flush,
  keyOf,
  maxBatch = 256,
  maxWaiting = 4096,
}: {
  flush: (batch: T[]) => Promise<R[]>;
  keyOf?: (item: T) => string;
  maxBatch?: number;
  maxWaiting?: number;
}): (item: T) => Promise<R> {
  let waiting: Waiting<T, R>[] = [];
  let isFlushing = false;

  /** Takes the next batch out of `waiting`; what it may not hold stays there in its order. */
  function takeBatch(): Waiting<T, R>[] {
    if (keyOf === undefined) return waiting.splice(0, maxBatch);
    const keys = new Set<string>();
    const batch: Waiting<T, R>[] = [];
    const left: Waiting<T, R>[] = [];
    for (const entry of waiting) {
      const key = keyOf(entry.item);
      if (batch.length === maxBatch || keys.has(key)) {
        left.push(entry);
      } else {
        keys.add(key);
        batch.push(entry);
      }
    }
    waiting = left;
    return batch;
  }

  async function flushAll(): Promise<void> {
    while (waiting.length > 0) await settle(takeBatch(), flush);
    isFlushing = false;
  }

  return (item) =>
    new Promise((resolve, reject) => {
      if (waiting.length >= maxWaiting) return reject(new StoreOverloaded());
      waiting.push({ item, resolve, reject });
      if (isFlushing) return;
      isFlushing = true;
      // A microtask later, so that items of the same turn share the first batch.
      queueMicrotask(() => void flushAll());
    });
}

async function settle<T, R>(
  batch: Waiting<T, R>[],
  flush: (batch: T[]) => Promise<R[]>,
): Promise<void> {
  try {
    const results = await flush(batch.map(({ item }) => item));
    if (results.length !== batch.length) throw new TypeError("flush: one result an item is due");
    batch.forEach(({ resolve }, index) => resolve(results[index] as R));
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
}
