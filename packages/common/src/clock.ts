/**
 * Time as the protocol sees it: epoch seconds, UTC dates and UTC instants. A `Clock` is passed to
 * whoever needs the time, so a test can move it.
 */

/** Epoch seconds, possibly with a fraction. */
export type Clock = () => number;

/** The largest difference between two clocks that the protocol tolerates, in seconds. */
export const CLOCK_SKEW_SECONDS = 300;

export const DAY_SECONDS = 86_400;

/** There is no year 0 for PostgreSQL, nor for anyone who counts requests. */
const DATE = /^(?!0000)\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/** `YYYY-MM-DD` in UTC. */
export function formatDate(epochSeconds: number): string {
  return new Date(epochSeconds * 1000).toISOString().slice(0, 10);
}

/** `YYYY-MM-DDTHH:MM:SSZ`, whole seconds. */
export function formatInstant(epochSeconds: number): string {
  return `${new Date(Math.floor(epochSeconds) * 1000).toISOString().slice(0, 19)}Z`;
}

/** Epoch seconds of `YYYY-MM-DDTHH:MM:SSZ`, or undefined: strict, so 2026-02-30 and T24:00:00Z are refused. */
export function parseInstant(text: string): number | undefined {
  if (!INSTANT.test(text)) return undefined;
  const seconds = Date.parse(text) / 1000;
  return Number.isNaN(seconds) || formatInstant(seconds) !== text ? undefined : seconds;
}

/** Days since 1970-01-01 of `YYYY-MM-DD`, or undefined: strict, so 2026-02-30 is refused. */
export function parseDay(text: string): number | undefined {
  if (!DATE.test(text)) return undefined;
  const seconds = Date.parse(text) / 1000;
  return Number.isNaN(seconds) || formatDate(seconds) !== text ? undefined : seconds / DAY_SECONDS;
}

/** Days since 1970-01-01 of the UTC date an instant falls on. */
export function dayOf(epochSeconds: number): number {
  return Math.floor(epochSeconds / DAY_SECONDS);
}

/** `YYYY-MM-DD` of a day counted from 1970-01-01. */
export function formatDay(day: number): string {
  return formatDate(day * DAY_SECONDS);
}

/** The first and the last day a hash may be dated now: those of 300 s ago and of 300 s ahead. */
export function acceptedDays(epochSeconds: number): readonly [number, number] {
  return [dayOf(epochSeconds - CLOCK_SKEW_SECONDS), dayOf(epochSeconds + CLOCK_SKEW_SECONDS)];
}
