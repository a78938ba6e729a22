/**
 * The auth-server's time, as far as its answers tell it. A hash is dated and a token's end is judged by
 * this clock, so a machine whose own clock is up to an hour off works after its first answer.
 *
 * A time further than that from the machine's own is never taken: whoever can forge an answer could
 * otherwise have hashes dated days ahead, and the day form of a later day is worth something on that
 * day. However many answers are forged, the difference is counted from the machine's clock.
 */
import type { Clock } from "@daykey/common/clock";

/** The most that an answer can move the time of proofs from the machine's own. */
export const MAX_CORRECTION_SECONDS = 3600;

export interface ServerClock {
  /** The server's time in epoch seconds. */
  now: Clock;
  /**
   * Learns from an answer's `Date` (RFC 9110 §6.6.1). `sentAt` and `receivedAt` are the machine's own
   * times. A date that agrees with what is believed changes nothing: it has whole seconds only.
   */
  learn(date: string | null, sentAt: number, receivedAt: number): void;
  /** The server's time now, told by itself. */
  set(epochSeconds: number): void;
  /**
   * By how many seconds the last answer differs from the machine's clock, where that is too much to be
   * taken; undefined otherwise.
   */
  refused(): number | undefined;
}

export function createServerClock(clock: Clock): ServerClock {
  /** Seconds the server's clock is ahead of the machine's. */
  let offset = 0;
  let refused: number | undefined;

  function take(difference: number): void {
    refused = Math.abs(difference) > MAX_CORRECTION_SECONDS ? difference : undefined;
    if (refused === undefined) offset = difference;
  }

  return {
    now: () => clock() + offset,
    refused: () => refused,
    learn(date, sentAt, receivedAt) {
      const second = date === null ? undefined : parseHttpDate(date);
      if (second === undefined) return;
      const least = second - receivedAt;
      const most = second + 1 - sentAt;
      if (offset < least || offset > most) take((least + most) / 2);
      else refused = undefined;
    },
    set(epochSeconds) {
      take(epochSeconds - clock());
    },
  };
}

/** Epoch seconds of an IMF-fixdate (RFC 9110 §5.6.7), the only form that may be sent, or undefined. */
export function parseHttpDate(text: string): number | undefined {
  const milliseconds = Date.parse(text);
  if (Number.isNaN(milliseconds)) return undefined;
  return new Date(milliseconds).toUTCString() === text ? milliseconds / 1000 : undefined;
}
