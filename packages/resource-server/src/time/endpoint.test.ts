import { afterAll, describe, expect, test } from "vitest";

import { bearerOfScope, serveRouters } from "../../test/serve-routers.ts";
import { createTimeRouter } from "./endpoint.ts";
import { timeAnswer } from "./schema.ts";
import { createSteadyClock } from "./steady-clock.ts";

const AUTHORIZED = { Authorization: "Bearer time:read" };

let now = 1795262400.1239;
const server = await serveRouters(
  createTimeRouter({ clock: createSteadyClock(() => now), requireScope: bearerOfScope }),
);
afterAll(() => server.stop());

function get(query = ""): Promise<Response> {
  return fetch(`${server.url}/time${query}`, { headers: AUTHORIZED });
}

const unknownZone = {
  type: "urn:daykey:problem:unknown-zone",
  title: "Unknown zone",
  status: 400,
  detail:
    "The zone must be a name of the IANA time zone database, such as Europe/Paris (a plus sign " +
    "in a name is written %2B in a query).",
};

test.each([
  ["", "UTC", "2026-11-21T12:00:00.123+00:00"],
  ["?zone=Europe/Paris", "Europe/Paris", "2026-11-21T13:00:00.123+01:00"],
  ["?zone=Asia%2FKolkata", "Asia/Kolkata", "2026-11-21T17:30:00.123+05:30"],
  ["?zone=Etc/GMT%2B5", "Etc/GMT+5", "2026-11-21T07:00:00.123-05:00"],
  ["?dk-key=1&zone=UTC", "UTC", "2026-11-21T12:00:00.123+00:00"],
])("GET /time%s", async (query, zone, local) => {
  const response = await get(query);
  expect(response.status).toBe(200);
  expect(response.headers.get("Content-Type")).toBe("application/json; charset=utf-8");
  expect(response.headers.get("Cache-Control")).toBe("no-store");
  const body = await response.text();
  expect(body).toBe(
    `{"time":"2026-11-21T12:00:00.123Z","epoch_seconds":1795262400.123,` +
      `"zone":"${zone}","local":"${local}"}`,
  );
  expect(timeAnswer.safeParse(JSON.parse(body)).error).toBeUndefined();
});

test.each([
  ["rfc3339", "2026-11-21T13:00:00.123+01:00"],
  ["datetime", "2026-11-21 13:00:00"],
  ["http-date", "Sat, 21 Nov 2026 12:00:00 GMT"],
  ["unix", 1795262400],
  ["unix-ms", 1795262400123],
])("format=%s is %j", async (format, formatted) => {
  const response = await get(`?zone=Europe/Paris&format=${format}`);
  const body: unknown = await response.json();
  expect([response.status, body]).toEqual([
    200,
    {
      time: "2026-11-21T12:00:00.123Z",
      epoch_seconds: 1795262400.123,
      zone: "Europe/Paris",
      local: "2026-11-21T13:00:00.123+01:00",
      formatted,
    },
  ]);
  expect(timeAnswer.safeParse(body).error).toBeUndefined();
});

test.each(["7", "!~", 'a"\\/<&>', "n".repeat(128)])(
  "the nonce %j comes back as it was",
  async (nonce) => {
    const body: unknown = await (await get(`?nonce=${encodeURIComponent(nonce)}`)).json();
    expect(body).toMatchObject({ zone: "UTC", nonce });
    expect(timeAnswer.safeParse(body).error).toBeUndefined();
  },
);

test("the time is the clock's at each call, and never goes back", async () => {
  const times: unknown[] = [];
  for (const instant of [
    1795262401, 1795262401.0009, 1795262400, 0, 1795262400.999, 1795262402.5,
  ]) {
    now = instant;
    const { epoch_seconds: seconds } = (await (await get()).json()) as { epoch_seconds: unknown };
    times.push(seconds);
  }
  expect(times).toEqual([1795262401, 1795262401, 1795262401, 1795262401, 1795262401, 1795262402.5]);
});

test("the last instant of an hour, a day and a year is not rounded into the next", async () => {
  now = 1798761599.9999;
  for (const [format, formatted] of [
    ["datetime", "2026-12-31 23:59:59"],
    ["unix", 1798761599],
    ["unix-ms", 1798761599999],
    ["http-date", "Thu, 31 Dec 2026 23:59:59 GMT"],
  ] as const) {
    expect(await (await get(`?format=${format}`)).json()).toMatchObject({ formatted });
  }
});

describe("zones that are refused", () => {
  test.each([
    "",
    "Europe/Nowhere",
    "%2B01:00",
    "Etc/GMT+5",
    "Europe/Paris%00",
    "%ff",
    "%",
    "[]",
    "Europe%252FParis",
    "<script>",
    "A".repeat(10_000),
  ])("zone=%s", async (zone) => {
    const response = await get(`?zone=${zone}`);
    expect(response.headers.get("Content-Type")).toBe("application/problem+json");
    expect([response.status, await response.json()]).toEqual([400, unknownZone]);
  });

  test.each(["?zone=UTC&zone=UTC", "?zone=UTC&z%6fne=Europe/Paris", "?a=1&a=2"])(
    "H5: the duplicate parameter in %s",
    async (query) => {
      const response = await get(query);
      expect([response.status, await response.json()]).toEqual([
        400,
        {
          type: "urn:daykey:problem:invalid-query",
          title: "Invalid query",
          status: 400,
          detail: `${query.startsWith("?z") ? "The query parameter zone" : "A query parameter"} must not appear twice.`,
        },
      ]);
    },
  );
});

const UNKNOWN = "the query: has a member, which is not known here; it takes zone, format, nonce";
const FORMAT = 'format: must be one of "rfc3339", "datetime", "http-date", "unix", "unix-ms"';
const NONCE = "nonce: must be 1 to 128 printable ASCII characters without a space";

test.each([
  ["?other=1", UNKNOWN.replace("a member", "other")],
  ["?Zone=UTC", UNKNOWN],
  ["?zone[]=UTC", UNKNOWN],
  ["?__proto__=1", UNKNOWN],
  ["?zone=UTC&constructor=1", UNKNOWN.replace("a member", "constructor")],
  ["?format=", FORMAT],
  ["?format=RFC3339", FORMAT],
  ["?format=unix%00", FORMAT],
  ["?nonce=", NONCE],
  ["?nonce=a%20b", NONCE],
  ["?nonce=a+b", NONCE],
  ["?nonce=%0a", NONCE],
  ["?nonce=%00", NONCE],
  ["?nonce=%C3%A9", NONCE],
  ["?nonce=%ff", NONCE],
  [`?nonce=${"n".repeat(129)}`, NONCE],
])("%.40s is refused", async (query, detail) => {
  const response = await get(query);
  expect([response.status, await response.json()]).toEqual([
    400,
    { type: "urn:daykey:problem:invalid-query", title: "Invalid query", status: 400, detail },
  ]);
});

test("V7, C15: without the scope it is 401, whatever the query says", async () => {
  for (const query of ["", "?zone=Europe/Nowhere", "?access_token=time:read"]) {
    const response = await fetch(`${server.url}/time${query}`, {
      headers: { Authorization: "Bearer primes:check" },
    });
    expect(response.status).toBe(401);
  }
});

test.each(["/TIME", "/time/", "/time/UTC"])("GET %s is no route", async (path) => {
  expect((await fetch(server.url + path, { headers: AUTHORIZED })).status).toBe(404);
});
