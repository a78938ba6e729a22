/** `/usage`: how often each client was served and refused, by day, as resource servers counted it. */
import { z } from "zod";
import { parseDay } from "@daykey/common/clock";
import { CLIENT_ID } from "@daykey/common/protocol";
import type { UsagePlace, UsageStore } from "../usage/usage-store.ts";
import { decodeCursor, encodeCursor, invalidCursor } from "./cursor.ts";
import { PARAMETERS, route, type Route } from "./route.ts";
import { DEFAULT_PAGE, pageOf, pageQuery } from "./schema-parts.ts";

const DAY_WORDS = "must be a day of the calendar such as 2026-11-21";
const day = z
  .string()
  .regex(/^(?!0000)\d{4}-\d{2}-\d{2}$/, DAY_WORDS)
  .refine((text) => parseDay(text) !== undefined, DAY_WORDS)
  .meta({ format: "date" });

export const usageView = z.strictObject({
  day,
  client_id: z.string().regex(CLIENT_ID),
  resource: z.string(),
  scope: z.string(),
  served: z.int().min(0),
  /** By a quota. */
  refused: z.int().min(0),
});

export const usagePage = pageOf(usageView);

const usageQuery = z.strictObject({
  ...pageQuery.shape,
  client_id: PARAMETERS.client_id.optional(),
  resource: PARAMETERS.uri.optional(),
  from: day.optional(),
  to: day.optional(),
});

export function createUsageRoutes({
  usage,
  registeredUri,
}: {
  usage: Pick<UsageStore, "list">;
  /** The URI as it is registered, of an equivalent one. */
  registeredUri: (uri: string) => Promise<string>;
}): Route[] {
  return [
    route({
      method: "get",
      path: "/usage",
      operationId: "listUsage",
      tag: "usage",
      summary: "A page of what was counted, the newest day first",
      query: usageQuery,
      status: 200,
      answer: usagePage,
      async handle({ query: { limit = DEFAULT_PAGE, cursor, client_id: clientId, ...filter } }) {
        const { usage: counts, next } = await usage.list({
          limit,
          after: cursor === undefined ? undefined : placeOf(cursor),
          filter: {
            ...filter,
            clientId,
            resource: filter.resource && (await registeredUri(filter.resource)),
          },
        });
        const items = counts.map(({ clientId: client_id, ...count }) => ({ client_id, ...count }));
        const next_cursor = next ? encodeCursor(["usage", next.day, next.id]) : null;
        return { body: { items, next_cursor } };
      },
    }),
  ];
}

/** @throws {ProblemError} 400 for a cursor of another list */
function placeOf(cursor: string): UsagePlace {
  const parts = decodeCursor(cursor, /^usage ((?!0000)\d{4}-\d{2}-\d{2}) ([1-9]\d{0,14})$/);
  const [date = "", id] = parts;
  if (parseDay(date) === undefined) throw invalidCursor();
  return { day: date, id: Number(id) };
}
