import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  acceptedDays,
  CLOCK_SKEW_SECONDS,
  DAY_SECONDS,
  dayOf,
  formatDate,
  formatDay,
  formatInstant,
  parseDay,
  parseInstant,
} from "./clock.ts";

const NOON = 1_795_262_400; // 2026-11-21T12:00:00Z
const LAST_SECOND = 253_402_300_799; // 9999-12-31T23:59:59Z

describe("instants", () => {
  test("are written with whole seconds and read back", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: LAST_SECOND, noNaN: true }), (at) => {
        expect(parseInstant(formatInstant(at))).toBe(Math.floor(at));
        expect(formatDate(at)).toBe(formatInstant(at).slice(0, 10));
        expect(formatDay(dayOf(at))).toBe(formatDate(at));
      }),
    );
  });

  test("2026-11-21T12:00:00Z", () => {
    expect(formatInstant(NOON + 0.999)).toBe("2026-11-21T12:00:00Z");
    expect(parseInstant("2026-11-21T12:00:00Z")).toBe(NOON);
    expect(parseInstant("2028-02-29T23:59:59Z")).toBe(1_835_481_599);
  });

  test.each([
    "",
    "2026-02-29T12:00:00Z",
    "2026-02-30T12:00:00Z",
    "2026-04-31T12:00:00Z",
    "2026-00-01T12:00:00Z",
    "2026-13-01T12:00:00Z",
    "2026-11-00T12:00:00Z",
    "2026-11-20T24:00:00Z",
    "2026-11-21T12:60:00Z",
    "2026-11-21T12:00:60Z",
    "2026-11-21T12:00:00.000Z",
    "2026-11-21T12:00Z",
    "2026-11-21T12:00:00",
    "2026-11-21T12:00:00+00:00",
    "2026-11-21T12:00:00z",
    "2026-11-21t12:00:00Z",
    "2026-11-21 12:00:00Z",
    "2026-11-21T12:00:00Z\n",
    " 2026-11-21T12:00:00Z",
    "2026-11-21T12:00:00Z\0",
    "+02026-11-21T12:00:00Z",
    "2026-1-21T12:00:00Z",
    "٢٠٢٦-11-21T12:00:00Z",
    "2026-11-21",
    "1795262400",
  ])("%j is no instant", (text) => expect(parseInstant(text)).toBeUndefined());
});

describe("days", () => {
  test("are counted from 1970-01-01, in UTC", () => {
    expect(parseDay("1970-01-01")).toBe(0);
    expect(parseDay("2026-11-21")).toBe(20_778);
    expect(formatDay(20_778)).toBe("2026-11-21");
    expect([dayOf(NOON - DAY_SECONDS / 2), dayOf(NOON), dayOf(NOON + DAY_SECONDS / 2)]).toEqual([
      20_778, 20_778, 20_779,
    ]);
  });

  test("are read back", () => {
    fc.assert(
      fc.property(fc.nat(dayOf(LAST_SECOND)), (day) => {
        expect(parseDay(formatDay(day))).toBe(day);
      }),
    );
  });

  test.each([
    "",
    "2026-02-29",
    "2026-02-30",
    "2026-13-01",
    "2026-11-21\n",
    "0000-01-01",
    "2026-1-21",
    "21/11/2026",
  ])("%j is no day", (text) => expect(parseDay(text)).toBeUndefined());
});

describe("the days a hash may be dated (protocol §1)", () => {
  test.each([
    ["2026-11-21T12:00:00Z", "2026-11-21", "2026-11-21"],
    ["2026-11-21T00:04:59Z", "2026-11-20", "2026-11-21"],
    ["2026-11-21T00:05:00Z", "2026-11-21", "2026-11-21"],
    ["2026-11-21T23:54:59Z", "2026-11-21", "2026-11-21"],
    ["2026-11-21T23:55:00Z", "2026-11-21", "2026-11-22"],
  ])("at %s: %s and %s", (now, first, last) => {
    const days = acceptedDays(parseInstant(now) ?? Number.NaN);
    expect(days.map(formatDay)).toEqual([first, last]);
  });

  test("are those of every instant within 300 s and no others", () => {
    const skew = fc.integer({ min: -CLOCK_SKEW_SECONDS, max: CLOCK_SKEW_SECONDS });
    const aroundMidnight = fc.integer({
      min: -2 * CLOCK_SKEW_SECONDS,
      max: 2 * CLOCK_SKEW_SECONDS,
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30_000 }), aroundMidnight, skew, (day, at, offset) => {
        const now = day * DAY_SECONDS + at;
        const days = acceptedDays(now);
        expect(days).toContain(dayOf(now + offset));
        for (const accepted of days) {
          const [first, last] = [accepted * DAY_SECONDS, (accepted + 1) * DAY_SECONDS - 1];
          const nearest = Math.min(Math.max(now, first), last);
          expect(Math.abs(nearest - now)).toBeLessThanOrEqual(CLOCK_SKEW_SECONDS);
        }
      }),
    );
  });
});
