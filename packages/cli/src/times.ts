/** Times as people read them: how far from now, and the local time; and lengths of time as they write them. */
import { formatInstant, parseDay } from "@daykey/common/clock";
import { usageError } from "./exit.ts";

const UNITS = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
] as const;

/** `in 24 h`, `3 min ago`, `now`. */
export function relative(at: number, now: number): string {
  const seconds = Math.round(at - now);
  if (seconds === 0) return "now";
  const length = duration(Math.abs(seconds));
  return seconds > 0 ? `in ${length}` : `${length} ago`;
}

/** In the largest unit that leaves about two of it, so `90 min` and not `2 h`. */
export function duration(seconds: number): string {
  const [unit, length] = UNITS.find(([, size]) => seconds >= 1.98 * size) ?? ["s", 1];
  return `${Math.round(seconds / length)} ${unit}`;
}

/** `2026-11-22 04:12:00` on this machine's clock and in its zone. */
export function local(at: number): string {
  const time = new Date(at * 1000);
  const pad = (number: number): string => String(number).padStart(2, "0");
  const date = [time.getFullYear(), pad(time.getMonth() + 1), pad(time.getDate())].join("-");
  return `${date} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(pad).join(":")}`;
}

/** `2026-11-22 04:12:00 (in 24 h)` of an ISO 8601 time; undefined stays so. */
export function localAndRelative(iso: string | null, now: number): string | undefined {
  const at = epochOf(iso);
  return at === undefined ? undefined : `${local(at)} (${relative(at, now)})`;
}

/** `in 24 h` of an ISO 8601 time, "" without one. */
export function relativeTo(iso: string | null, now: number): string {
  const at = epochOf(iso);
  return at === undefined ? "" : relative(at, now);
}

/** Epoch seconds of an ISO 8601 time. */
export function epochOf(iso: string | null): number | undefined {
  const milliseconds = iso === null ? Number.NaN : Date.parse(iso);
  return Number.isNaN(milliseconds) ? undefined : milliseconds / 1000;
}

const LENGTHS: Record<string, number> = { s: 1, m: 60, min: 60, h: 3600, d: 86_400 };

/** Seconds of `90`, `90s`, `30m`, `24h` or `7d`. @throws {CliError} for anything else */
export function parseDuration(text: string): number {
  const [, digits = "", unit = "s"] = /^(\d{1,9})(s|m|min|h|d)?$/.exec(text) ?? [];
  if (digits === "")
    throw usageError(`"${text}" is not a length of time`, "Write 90s, 30m, 24h or 7d.");
  return Number(digits) * (LENGTHS[unit] ?? 1);
}

const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z$/;

/**
 * An instant in UTC, as the admin API takes it, of `2026-11-01` (its beginning in UTC),
 * `2026-11-01T12:00:00Z`, or `7d` for a week before `now`. @throws {CliError} for anything else
 */
export function parseMoment(text: string, now: number): string {
  if (INSTANT.test(text)) return text;
  if (parseDay(text) !== undefined) return `${text}T00:00:00Z`;
  if (/^\d{1,9}(s|m|min|h|d)$/.test(text)) {
    const at = now - parseDuration(text);
    if (at >= 0) return formatInstant(at);
  }
  throw usageError(
    `"${text}" is not a time`,
    "Write 2026-11-01, 2026-11-01T12:00:00Z, or 7d for a week ago.",
  );
}
