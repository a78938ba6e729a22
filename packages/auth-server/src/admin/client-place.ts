/** The cursors of the list of clients: where a page ended, in the order that was asked for. */
import { parseInstant } from "@daykey/common/clock";
import type { ClientOrder, ClientPlace } from "../registration/registrations-store.ts";
import { decodeCursor, encodeCursor, invalidCursor } from "./cursor.ts";

const BY_ID = /^client_id ([A-Za-z0-9._~-]{1,64})$/;
const BY_AGE =
  /^created_at ((?!0000)\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(\.\d{6}Z) ([A-Za-z0-9._~-]{1,64})$/;

export function cursorOf({ clientId, createdAt }: ClientPlace, order: ClientOrder): string {
  return encodeCursor(order === "client_id" ? [order, clientId] : [order, createdAt, clientId]);
}

/** @throws {ProblemError} 400 for a cursor that is not of this order */
export function placeOf(cursor: string, order: ClientOrder): ClientPlace {
  if (order === "client_id") {
    const [clientId = ""] = decodeCursor(cursor, BY_ID);
    return { clientId, createdAt: "" };
  }
  const [second = "", fraction = "", clientId = ""] = decodeCursor(cursor, BY_AGE);
  if (parseInstant(`${second}Z`) === undefined) throw invalidCursor();
  return { clientId, createdAt: `${second}${fraction}` };
}
