/** An instant in a zone of the IANA time zone database, from the copy that Node carries (ICU). */
import { LRUCache } from "lru-cache";

const ZONE_NAME = /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/;

/**
 * Names that ICU takes and the IANA database has not, in lower case: short ones of Java and of System V,
 * of which `BST` would be Bangladesh and `AST` Alaska, and two that IANA gave up.
 */
const NOT_OF_IANA = new Set(
  (
    "act aet agt art ast bet bst cat cnt cst ctt eat ect iet ist jst mit net nst plt pnt prt pst sst vst " +
    "us/pacific-new canada/east-saskatchewan"
  ).split(" "),
);
const SYSTEM_V = "systemv/";

/** Formats an instant (whole epoch milliseconds, years 1000 to 9999) as the zone's clocks show it. */
export type ZoneFormatter = (epochMilliseconds: number) => string;

// Making a formatter takes 65 µs and about 35 kB.
const formatters = new LRUCache<string, ZoneFormatter>({ max: 500 });

/**
 * The formatter of a zone's name (`Europe/Paris`, `UTC`, also old names such as `US/Pacific`; the
 * case does not matter), or undefined for any other text. Offsets such as `+01:00` are not names.
 *
 * It writes ISO 8601 with milliseconds and offset, `2026-11-21T13:00:00.123+01:00`. An offset that
 * is no whole minute, as local mean times were, gets its seconds too, which RFC 3339 cannot say.
 */
export function zoneFormatter(zone: string): ZoneFormatter | undefined {
  if (!ZONE_NAME.test(zone)) return undefined;
  const key = zone.toLowerCase();
  if (NOT_OF_IANA.has(key) || key.startsWith(SYSTEM_V)) return undefined;
  const known = formatters.get(key);
  if (known) return known;
  const made = createFormatter(zone);
  if (made) formatters.set(key, made);
  return made;
}

function createFormatter(timeZone: string): ZoneFormatter | undefined {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
  } catch {
    return undefined;
  }
  /** All but the milliseconds, which stand between the two. */
  const aroundMilliseconds = (epochSeconds: number): [string, string] => {
    const part = Object.fromEntries(
      format.formatToParts(epochSeconds * 1000).map(({ type, value }) => [type, value]),
    );
    const local =
      `${part["year"]}-${part["month"]}-${part["day"]}` +
      `T${part["hour"]}:${part["minute"]}:${part["second"]}`;
    return [`${local}.`, formatOffset(Date.parse(`${local}Z`) / 1000 - epochSeconds)];
  };
  let knownSecond = NaN;
  let around: [string, string] = ["", ""];
  return (epochMilliseconds) => {
    // Within a second only the milliseconds change: formatting took a tenth of an answer.
    const second = Math.floor(epochMilliseconds / 1000);
    if (second !== knownSecond) {
      around = aroundMilliseconds(second);
      knownSecond = second;
    }
    return around.join(String(epochMilliseconds - second * 1000).padStart(3, "0"));
  };
}

function formatOffset(seconds: number): string {
  const size = Math.abs(seconds);
  const fields = [Math.floor(size / 3600), Math.floor(size / 60) % 60];
  if (size % 60 !== 0) fields.push(size % 60);
  const digits = fields.map((field) => String(field).padStart(2, "0"));
  return `${seconds < 0 ? "-" : "+"}${digits.join(":")}`;
}
