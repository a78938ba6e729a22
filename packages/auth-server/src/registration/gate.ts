/** Bounded concurrency for slow work: a few at once, a few waiting, the rest refused. */

export class GateFull extends Error {
  override readonly name = "GateFull";
}

/** Runs work when a place is free. @throws {GateFull} at once, when the queue is full */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

export function createGate({ atOnce, waiting }: { atOnce: number; waiting: number }): Gate {
  let running = 0;
  const queue: (() => void)[] = [];

  return async (work) => {
    if (running < atOnce) {
      running++;
    } else {
      if (queue.length >= waiting) throw new GateFull("too much work is waiting");
      // The one who leaves hands its place over, so `running` stays as it is.
      await new Promise<void>((resolve) => queue.push(resolve));
    }
    try {
      return await work();
    } finally {
      const next = queue.shift();
      if (next) next();
      else running--;
    }
  };
}
