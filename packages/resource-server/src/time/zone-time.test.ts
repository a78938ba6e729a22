import { expect, test } from "vitest";

import { zoneFormatter } from "./zone-time.ts";

test.each([
  ["UTC", "2026-11-21T12:00:00.123Z", "2026-11-21T12:00:00.123+00:00"],
  ["Europe/Paris", "2026-11-21T12:00:00.123Z", "2026-11-21T13:00:00.123+01:00"],
  ["Asia/Kolkata", "2026-11-21T20:00:00.000Z", "2026-11-22T01:30:00.000+05:30"],
  ["Asia/Kathmandu", "2026-01-01T00:00:00.000Z", "2026-01-01T05:45:00.000+05:45"],
  ["Australia/Eucla", "2026-01-01T00:00:00.000Z", "2026-01-01T08:45:00.000+08:45"],
  ["America/St_Johns", "2026-01-01T00:00:00.000Z", "2025-12-31T20:30:00.000-03:30"],
  ["Australia/Lord_Howe", "2026-01-01T00:00:00.000Z", "2026-01-01T11:00:00.000+11:00"],
  ["Australia/Lord_Howe", "2026-07-01T00:00:00.000Z", "2026-07-01T10:30:00.000+10:30"],
  ["Pacific/Kiritimati", "2026-12-31T10:00:00.000Z", "2027-01-01T00:00:00.000+14:00"],
  ["Etc/GMT+12", "2027-01-01T11:59:59.999Z", "2026-12-31T23:59:59.999-12:00"],
  ["US/Pacific", "2026-07-01T00:00:00.000Z", "2026-06-30T17:00:00.000-07:00"],
  ["America/Sao_Paulo", "2024-02-29T02:59:59.999Z", "2024-02-28T23:59:59.999-03:00"],
])("%s at %s", (zone, instant, local) => {
  expect(zoneFormatter(zone)?.(Date.parse(instant))).toBe(local);
});

test.each([
  ["Europe/Paris", "2026-03-29T00:59:59.999Z", "2026-03-29T01:59:59.999+01:00"],
  ["Europe/Paris", "2026-03-29T01:00:00.000Z", "2026-03-29T03:00:00.000+02:00"],
  ["Europe/Paris", "2026-10-25T00:59:59.999Z", "2026-10-25T02:59:59.999+02:00"],
  ["Europe/Paris", "2026-10-25T01:00:00.000Z", "2026-10-25T02:00:00.000+01:00"],
  ["America/New_York", "2026-11-01T05:59:59.999Z", "2026-11-01T01:59:59.999-04:00"],
  ["America/New_York", "2026-11-01T06:00:00.000Z", "2026-11-01T01:00:00.000-05:00"],
])("around a change of offset: %s at %s", (zone, instant, local) => {
  expect(zoneFormatter(zone)?.(Date.parse(instant))).toBe(local);
});

test.each([
  ["Europe/London", "1970-01-01T00:00:00.000Z", "1970-01-01T01:00:00.000+01:00"],
  ["Pacific/Apia", "2011-12-30T10:00:00.000Z", "2011-12-31T00:00:00.000+14:00"],
  ["Africa/Monrovia", "1970-06-01T00:00:00.000Z", "1970-05-31T23:15:30.000-00:44:30"],
  ["America/New_York", "1883-01-01T00:00:00.250Z", "1882-12-31T19:03:58.250-04:56:02"],
])("as it was in its time: %s at %s", (zone, instant, local) => {
  expect(zoneFormatter(zone)?.(Date.parse(instant))).toBe(local);
});

test("every zone names the instant it was given", () => {
  const instants = ["2026-01-15T00:00:00.001Z", "2026-07-15T23:59:59.999Z"];
  for (const zone of Intl.supportedValuesOf("timeZone")) {
    for (const instant of instants) {
      const local = zoneFormatter(zone)?.(Date.parse(instant)) ?? "";
      expect(new Date(local).toISOString(), zone).toBe(instant);
    }
  }
});

test("a name's case does not matter, and one formatter serves all spellings", () => {
  expect(zoneFormatter("europe/paris")).toBe(zoneFormatter("EUROPE/Paris"));
});

test.each([
  "",
  " ",
  "Europe",
  "Europe/",
  "/Paris",
  "Europe/Nowhere",
  "Europe/Paris ",
  "Europe\\Paris",
  "+01:00",
  "-0500",
  "01:00",
  "Z",
  "..",
  "../Paris",
  "Europe/../Paris",
  "posixrules",
  "Europe/Paris\0",
  "Europe/Paris\n",
  "Europe/Pаris",
  "__proto__",
  "constructor",
  "A".repeat(65),
])("%j is no zone", (zone) => {
  expect(zoneFormatter(zone)).toBeUndefined();
});

test("ICU's own short names are no zones: of three letters those of IANA alone are", () => {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ".split("");
  const taken = letters
    .flatMap((a) => letters.flatMap((b) => letters.map((c) => a + b + c)))
    .filter((name) => zoneFormatter(name) !== undefined);
  const expected = "CET EET EST GMT HST MET MST PRC ROC ROK UCT UTC WET";
  expect(taken.join(" ")).toBe(expected);
}, 120_000);

test.each([
  "bst",
  "Ist",
  "cSt",
  "SystemV/AST4",
  "systemv/pst8pdt",
  "US/Pacific-New",
  "Canada/East-Saskatchewan",
])("%s is no name of the IANA database", (name) => {
  expect(zoneFormatter(name)).toBeUndefined();
});
