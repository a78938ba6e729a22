/** `GET /time`: the time in UTC and in a zone of the caller's choice (docs/protocol.md §4). */
import type { Clock } from "@daykey/common/clock";
import { stringifyJson } from "@daykey/common/json-numbers";
import { JSON_MEDIA_TYPE } from "@daykey/common/protocol";
import { ProblemError } from "@daykey/service/problem-error";
import { createRouter, type AppMiddleware, type AppRouter } from "@daykey/service/router";

import { zoneFormatter, type ZoneFormatter } from "./zone-time.ts";

export const TIME_SCOPE = "time:read";
const DEFAULT_ZONE = "UTC";

export function createTimeRouter({
  clock,
  requireScope,
}: {
  clock: Clock;
  requireScope: (scope: string) => AppMiddleware;
}): AppRouter {
  const router = createRouter();
  router.get("/time", requireScope(TIME_SCOPE), (ctx) => {
    const { zone, format } = readZone(new URLSearchParams(ctx.querystring));
    const milliseconds = Math.floor(clock() * 1000);
    ctx.type = JSON_MEDIA_TYPE;
    ctx.set("Cache-Control", "no-store");
    ctx.body = stringifyJson({
      time: new Date(milliseconds).toISOString(),
      epoch_seconds: milliseconds / 1000,
      zone,
      local: format(milliseconds),
    });
  });
  return router;
}

/** The zone of the query, as the caller spelt it. Unknown parameters are ignored. */
function readZone(query: URLSearchParams): { zone: string; format: ZoneFormatter } {
  const names = [...query.keys()];
  if (new Set(names).size !== names.length) {
    const detail = "A query parameter must not appear twice.";
    throw new ProblemError({ status: 400, code: "invalid-query", title: "Invalid query", detail });
  }
  const zone = query.get("zone") ?? DEFAULT_ZONE;
  const format = zoneFormatter(zone);
  if (!format) {
    const detail =
      "The zone must be a name of the IANA time zone database, such as Europe/Paris (a plus sign " +
      "in a name is written %2B in a query).";
    throw new ProblemError({ status: 400, code: "unknown-zone", title: "Unknown zone", detail });
  }
  return { zone, format };
}
