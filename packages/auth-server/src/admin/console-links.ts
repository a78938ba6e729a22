/** `/console/links`: the way into the console, for who has shown an admin's token. */
import { z } from "zod";
import { formatInstant } from "@daykey/common/clock";
import { problem } from "@daykey/service/http/problem-error";
import type { Sessions } from "../console/sessions.ts";
import { route, type Route } from "./route.ts";
import { instant } from "./schema-parts.ts";

export const consoleLink = z.strictObject({
  /** Path and query, on this listener. It signs in whoever opens it first. */
  path: z.string(),
  expires_at: instant,
});

export function createConsoleLinkRoutes({
  sessions,
}: {
  sessions: Pick<Sessions, "offer">;
}): Route[] {
  return [
    route({
      method: "post",
      path: "/console/links",
      operationId: "createConsoleLink",
      tag: "console",
      summary: "A link that signs this admin in to the console, once and within a minute",
      status: 201,
      answer: consoleLink,
      problems: [403],
      handle({ actor }) {
        // A session outlives what is remembered of the ends of grants, so it could outlive those above it.
        if (actor.rights.anc) throw problem("on-behalf");
        const { link, expiresAt } = sessions.offer(actor.rights);
        const body = { path: `/console/enter?link=${link}`, expires_at: formatInstant(expiresAt) };
        return Promise.resolve({ body });
      },
    }),
  ];
}
