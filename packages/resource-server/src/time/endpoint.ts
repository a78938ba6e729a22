/**
 * `GET /time`: the time in UTC and in a zone of the caller's choice, in the format of its choice too, with
 * its nonce (docs/protocol.md §4.11).
 */
import type { Clock } from "@daykey/common/clock";
import { answerJson } from "@daykey/service/http/json-answer";
import { problem } from "@daykey/service/http/problem-error";
import { createRouter, type AppMiddleware, type AppRouter } from "@daykey/service/http/router";

import { readQuery } from "../query.ts";
import { type TimeAnswer, type TimeFormat, timeQuery } from "./schema.ts";
import { zoneFormatter, type ZoneFormatter } from "./zone-time.ts";

export const TIME_SCOPE = "time:read";
const DEFAULT_ZONE = "UTC";

/** @param options.clock one that never goes back (`steady-clock.ts`) */
export function createTimeRouter({
  clock,
  requireScope,
}: {
  clock: Clock;
  requireScope: (scope: string) => AppMiddleware;
}): AppRouter {
  const router = createRouter();
  router.get("/time", requireScope(TIME_SCOPE), (ctx) => {
    const { zone = DEFAULT_ZONE, format, nonce } = readQuery(timeQuery, ctx.querystring);
    const toLocal = formatterOf(zone);
    const milliseconds = Math.floor(clock() * 1000);
    const local = toLocal(milliseconds);
    const answer: TimeAnswer = {
      time: new Date(milliseconds).toISOString(),
      epoch_seconds: milliseconds / 1000,
      zone,
      local,
      ...(format && { formatted: FORMATTERS[format](milliseconds, local) }),
      ...(nonce !== undefined && { nonce }),
    };
    answerJson(ctx, JSON.stringify(answer));
  });
  return router;
}

/** @throws {ProblemError} 400 `unknown-zone` */
function formatterOf(zone: string): ZoneFormatter {
  const formatter = zoneFormatter(zone);
  if (formatter) return formatter;
  const detail =
    "The zone must be a name of the IANA time zone database, such as Europe/Paris (a plus sign " +
    "in a name is written %2B in a query).";
  throw problem("unknown-zone", { detail });
}

const FORMATTERS: Record<TimeFormat, (milliseconds: number, local: string) => string | number> = {
  rfc3339: (_, local) => local,
  datetime: (_, local) => local.slice(0, "YYYY-MM-DD HH:MM:SS".length).replace("T", " "),
  "http-date": (milliseconds) => new Date(milliseconds).toUTCString(),
  unix: (milliseconds) => Math.floor(milliseconds / 1000),
  "unix-ms": (milliseconds) => milliseconds,
};
