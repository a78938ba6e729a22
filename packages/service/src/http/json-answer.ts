import { JSON_MEDIA_TYPE } from "@daykey/common/media-types";

import type { AppContext } from "./router.ts";

export const JSON_UTF8 = `${JSON_MEDIA_TYPE}; charset=utf-8`;

/** Answers with this JSON, which no cache keeps. Left to itself, Koa looks the media type up each time. */
export function answerJson(ctx: AppContext, json: string): void {
  ctx.set("Content-Type", JSON_UTF8);
  ctx.set("Cache-Control", "no-store");
  ctx.body = json;
}
