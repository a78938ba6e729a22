/**
 * The auth-server's time, as far as its answers tell it. A hash is dated and a token's end is judged by
 * this clock, so a machine whose own clock is wrong works after its first answer.
 *
 * Believed as far as the connection is: whoever can forge a `Date` can have hashes dated ahead, and a
 * day form of a later day is worth something on that day. That is one more reason for TLS.
 */
import type { Clock } from "@daykey/common/clock";

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
}

export function createServerClock(clock: Clock): ServerClock {
  /** Seconds the server's clock is ahead of the machine's. */
  let offset = 0;
  return {
    now: () => clock() + offset,
    learn(date, sentAt, receivedAt) {
      const second = date === null ? undefined : parseHttpDate(date);
      if (second === undefined) return;
      const least = second - receivedAt;
      const most = second + 1 - sentAt;
      if (offset < least || offset > most) offset = (least + most) / 2;
    },
    set(epochSeconds) {
      offset = epochSeconds - clock();
    },
  };
}

/** Epoch seconds of an IMF-fixdate (RFC 9110 §5.6.7), the only form that may be sent, or undefined. */
export function parseHttpDate(text: string): number | undefined {
  const milliseconds = Date.parse(text);
  if (Number.isNaN(milliseconds)) return undefined;
  return new Date(milliseconds).toUTCString() === text ? milliseconds / 1000 : undefined;
}
