/** `/secrets`: the clients whose last secret ends soon, or has ended. */
import { z } from "zod";
import { DAY_SECONDS, formatInstant, parseInstant } from "@daykey/common/clock";
import { CLIENT_ID } from "@daykey/common/protocol";
import type {
  EndingPlace,
  EndingSecret,
  EndingSecretsStore,
} from "../registration/ending-secrets-store.ts";
import { MAX_SECRET_DAYS } from "../registration/secrets.ts";
import { decodeCursor, encodeCursor, invalidCursor } from "./cursor.ts";
import { route, type Route } from "./route.ts";
import { DEFAULT_PAGE, instant, numberParameter, pageOf, pageQuery } from "./schema-parts.ts";
import { instantOrNull, kid as kidSchema } from "./secret-schema.ts";

/** A client's last secret: when it has ended, the client gets no token. */
export const endingSecretView = z.strictObject({
  client_id: z.string().regex(CLIENT_ID),
  name: z.string(),
  kid: kidSchema,
  expires_at: instant,
  last_used_at: instant.nullable(),
  state: z.enum(["ending", "ended"]),
});

export const endingSecretPage = pageOf(endingSecretView);

const DEFAULT_WITHIN_SECONDS = 30 * DAY_SECONDS;

const endingQuery = z.strictObject({
  ...pageQuery.shape,
  ending_within_seconds: numberParameter(0, MAX_SECRET_DAYS * DAY_SECONDS).optional(),
});

export function createEndingSecretRoutes({
  secrets,
}: {
  secrets: Pick<EndingSecretsStore, "ending">;
}): Route[] {
  return [
    route({
      method: "get",
      path: "/secrets",
      operationId: "listEndingSecrets",
      tag: "secrets",
      summary:
        "A page of the last secrets of clients that end soon or have ended, the earliest first",
      query: endingQuery,
      status: 200,
      answer: endingSecretPage,
      async handle({ query }) {
        const { limit = DEFAULT_PAGE, cursor } = query;
        const { secrets: found, next } = await secrets.ending({
          withinSeconds: query.ending_within_seconds ?? DEFAULT_WITHIN_SECONDS,
          limit,
          after: cursor === undefined ? undefined : placeOf(cursor),
        });
        const next_cursor = next
          ? encodeCursor(["ends", next.expiresAt, next.clientId, next.kid])
          : null;
        return { body: { items: found.map(viewOf), next_cursor } };
      },
    }),
  ];
}

function viewOf(secret: EndingSecret): z.infer<typeof endingSecretView> {
  return {
    client_id: secret.clientId,
    name: secret.name,
    kid: secret.kid,
    expires_at: formatInstant(secret.expiresAt),
    last_used_at: instantOrNull(secret.lastUsedAt),
    state: secret.hasEnded ? "ended" : "ending",
  };
}

const PLACE =
  /^ends ((?!0000)\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(\.\d{6}Z) ([A-Za-z0-9._~-]{1,64}) ([a-z0-9]{8})$/;

/** @throws {ProblemError} 400 for a cursor of another list */
function placeOf(cursor: string): EndingPlace {
  const [second = "", fraction = "", clientId = "", kid = ""] = decodeCursor(cursor, PLACE);
  if (parseInstant(`${second}Z`) === undefined) throw invalidCursor();
  return { clientId, kid, expiresAt: `${second}${fraction}` };
}
