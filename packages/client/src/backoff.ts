/** How long to wait before the next try: what the server asks for, and never less than a growing pause of our own. */
import { backoff } from "@daykey/common/backoff";
import { parseHttpDate } from "./server-clock.ts";

/** The first pause and the longest. */
const PAUSE_SECONDS = [1, 60] as const;
/** A server, or what stands before it, cannot silence a client for longer. */
const LONGEST_RETRY_AFTER_SECONDS = 3600;

/** The pause after this many failures in a row: 1, 2, 4 … 60 s, or a part of it. */
export function pauseSeconds(failures: number, random: number): number {
  return backoff(failures - 1, PAUSE_SECONDS, random);
}

/** `Retry-After` (RFC 9110 §10.2.3), seconds or a date, as seconds from now. Undefined if it is neither. */
export function retryAfterSeconds(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  const seconds = /^\d{1,9}$/.test(value) ? Number(value) : (parseHttpDate(value) ?? NaN) - now;
  if (Number.isNaN(seconds)) return undefined;
  return Math.min(Math.max(seconds, 0), LONGEST_RETRY_AFTER_SECONDS);
}
