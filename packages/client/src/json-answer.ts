/** An answer's body as a JSON object, read strictly: no duplicate names, bounded depth. */
import { JSON_MEDIA_TYPE } from "@daykey/common/media-types";
import { type JsonObject, readJsonObject } from "@daykey/common/json-numbers";
import type { Answer } from "./bounded-fetch.ts";

/** Undefined when it is no `application/json`, no JSON or no object. */
export function jsonObjectOf({ headers, text }: Answer): JsonObject | undefined {
  const mediaType = headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  return mediaType === JSON_MEDIA_TYPE ? readJsonObject(text) : undefined;
}
