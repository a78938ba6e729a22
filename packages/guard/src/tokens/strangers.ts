/**
 * Room for questions about what has proved nothing yet: anyone can send a token or key that looks right, and
 * each costs the auth-server a look. Callers' addresses take turns. One address may have on their way a
 * quarter of what is free, and waits for the rest. Of answers that were not *active* it may cause a quarter
 * of what is left in a second; past that it is refused. So forged ones leave room for those of others.
 */
import type { Clock } from "@daykey/common/clock";

export interface Strangers {
  /**
   * Waits until this address may ask one question.
   * @param address of the caller, as limits count it; callers without one share the text they are given
   * @returns what to call once with the outcome; undefined when the address has caused too much, or waits
   *   too long
   */
  enter(address: string): Promise<Leave | undefined>;
}

export type Leave = (wasActive: boolean) => void;

/** With those about what has proved itself, fewer than the connections that an auth-server lets one address have. */
const AT_ONCE = 192;
/** Answers in a second that a token or key is not active. */
const WASTED = 768;
const SHARE = 1 / 4;
/** Questions of one address that may wait. */
const MAX_WAITING = 256;
const WAIT_SECONDS = 5;

/** @param elapsed seconds of a clock that nobody sets */
export function createStrangers(elapsed: Clock): Strangers {
  const asking = createShares(AT_ONCE);
  const wasted = createShares(WASTED);
  /** Who waits, by address, in the order of the addresses' last turns. */
  const lines = new Map<string, Set<(mayAsk: boolean) => void>>();
  let second = -Infinity;

  function hasWastedTooMuch(address: string): boolean {
    const now = Math.floor(elapsed());
    if (now !== second) wasted.clear();
    second = now;
    return !wasted.hasRoom(address);
  }

  function waitInLine(address: string): Promise<boolean> {
    const line = lines.get(address) ?? new Set();
    if (line.size >= MAX_WAITING) return Promise.resolve(false);
    lines.set(address, line);
    return new Promise((resolve) => {
      const turn = (mayAsk: boolean): void => {
        clearTimeout(timer);
        line.delete(turn);
        if (line.size === 0) lines.delete(address);
        resolve(mayAsk);
      };
      const timer = setTimeout(turn, WAIT_SECONDS * 1000, false);
      line.add(turn);
    });
  }

  /** One of each line, for as long as there is room. */
  function callNext(): void {
    for (const [address, line] of lines) {
      if (asking.isFull()) return;
      if (hasWastedTooMuch(address)) for (const turn of line) turn(false);
      if (line.size === 0 || !asking.hasRoom(address)) continue;
      asking.add(address);
      const [turn] = line;
      turn?.(true);
      // To the end of the lines, if anyone is left in this one.
      if (lines.delete(address)) lines.set(address, line);
    }
  }

  function leave(address: string, wasActive: boolean): void {
    asking.remove(address);
    if (!wasActive) {
      hasWastedTooMuch(address);
      wasted.add(address);
    }
    callNext();
  }

  return {
    async enter(address) {
      if (hasWastedTooMuch(address)) return undefined;
      const isFirst = !lines.has(address) && asking.hasRoom(address);
      if (isFirst) asking.add(address);
      else if (!(await waitInLine(address))) return undefined;
      return (wasActive) => leave(address, wasActive);
    },
  };
}

/** Counts by address, `max` in all. One has room while it has less than its share of what is left. */
function createShares(max: number) {
  const counts = new Map<string, number>();
  let left = max;
  return {
    isFull: () => left <= 0,
    hasRoom: (address: string) => (counts.get(address) ?? 0) < left * SHARE,
    add(address: string) {
      counts.set(address, (counts.get(address) ?? 0) + 1);
      left -= 1;
    },
    remove(address: string) {
      const count = (counts.get(address) ?? 0) - 1;
      if (count > 0) counts.set(address, count);
      else counts.delete(address);
      left += 1;
    },
    clear() {
      counts.clear();
      left = max;
    },
  };
}
