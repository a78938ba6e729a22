import { afterAll, describe, expect, test } from "vitest";

import { bearerOfScope, serveRouters } from "../../test/serve-routers.ts";
import { createTimeRouter } from "./endpoint.ts";

const AUTHORIZED = { Authorization: "Bearer time:read" };

let now = 1795262400.1239;
const server = await serveRouters(
  createTimeRouter({ clock: () => now, requireScope: bearerOfScope }),
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
  ["?other=1&zone=UTC", "UTC", "2026-11-21T12:00:00.123+00:00"],
])("GET /time%s", async (query, zone, local) => {
  const response = await get(query);
  expect(response.status).toBe(200);
  expect(response.headers.get("Content-Type")).toBe("application/json; charset=utf-8");
  expect(response.headers.get("Cache-Control")).toBe("no-store");
  expect(await response.text()).toBe(
    `{"time":"2026-11-21T12:00:00.123Z","epoch_seconds":1795262400.123,` +
      `"zone":"${zone}","local":"${local}"}`,
  );
});

test("the time is the clock's at each call", async () => {
  now = 0;
  expect(await (await get()).json()).toMatchObject({
    time: "1970-01-01T00:00:00.000Z",
    epoch_seconds: 0,
  });
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
          detail: "A query parameter must not appear twice.",
        },
      ]);
    },
  );
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
