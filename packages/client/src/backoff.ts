/** How long to wait before the next try: what the server asks for, and never less than a growing pause of our own. */
import { parseHttpDate } from "./server-clock.ts";

const LONGEST_PAUSE_SECONDS = 60;
/** A server, or what stands before it, cannot silence a client for longer. */
const LONGEST_RETRY_AFTER_SECONDS = 3600;

/**
 * The pause after this many failures in a row: 1, 2, 4 … 60 s, and of that a random part of at least
 * half, so that many clients do not come back at once.
 */
export function pauseSeconds(failures: number, random: number): number {
  const longest = Math.min(2 ** (failures - 1), LONGEST_PAUSE_SECONDS);
  return longest * (0.5 + random / 2);
}

/** `Retry-After` (RFC 9110 §10.2.3), seconds or a date, as seconds from now. Undefined if it is neither. */
export function retryAfterSeconds(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  const seconds = /^\d{1,9}$/.test(value) ? Number(value) : (parseHttpDate(value) ?? NaN) - now;
  if (Number.isNaN(seconds)) return undefined;
  return Math.min(Math.max(seconds, 0), LONGEST_RETRY_AFTER_SECONDS);
}
