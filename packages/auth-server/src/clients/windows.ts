/**
 * Counts how often something happened to a key within a number of seconds after the first time, in this
 * instance's memory. When there are too many keys, the least recent ones make room.
 */
import { LRUCache } from "lru-cache";
import type { Clock } from "@daykey/common/clock";

export interface Windows {
  /** Seconds until the key has room again; undefined while it has. */
  full(key: string): number | undefined;
  /** Counts one more, whether there is room or not. */
  count(key: string): void;
}

interface Window {
  count: number;
  endsAt: number;
}

const MAX_KEYS = 100_000;

/** @param options.elapsed seconds of a clock that nobody sets */
export function createWindows({
  limit,
  windowSeconds,
  elapsed = () => performance.now() / 1000,
}: {
  limit: number;
  windowSeconds: number;
  elapsed?: Clock | undefined;
}): Windows {
  const windows = new LRUCache<string, Window>({ max: MAX_KEYS });

  function windowOf(key: string): Window | undefined {
    const window = windows.get(key);
    return window !== undefined && window.endsAt > elapsed() ? window : undefined;
  }

  return {
    full(key) {
      const window = windowOf(key);
      if (window === undefined || window.count < limit) return undefined;
      return window.endsAt - elapsed();
    },
    count(key) {
      const window = windowOf(key) ?? { count: 0, endsAt: elapsed() + windowSeconds };
      window.count += 1;
      windows.set(key, window);
    },
  };
}
