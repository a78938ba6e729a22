/**
 * Sends what a route left in its context, in place of Koa's own `callback`, which hangs four listeners
 * on each answer and its socket to learn what Node tells here too (docs/adr/0020).
 */
import { pipeline, type Readable } from "node:stream";

import type { AppContext } from "./router.ts";

/** Statuses whose answers have no content (RFC 9110 §15.2 to §15.4). */
const EMPTY = new Set([204, 205, 304]);

/** The body is text, bytes, a stream, or null for none; `makePlain` in `app.ts` sees to that. */
export function send(ctx: AppContext): void {
  const { res } = ctx;
  const body = ctx.body as string | Buffer | Readable | null;
  if (!ctx.writable) {
    res.end(); // The caller has gone.
  } else if (EMPTY.has(ctx.status)) {
    ctx.body = null; // Takes the headers of content along.
    res.end();
  } else if (body === null) {
    ctx.length = 0;
    res.end();
  } else if (typeof body === "string" || Buffer.isBuffer(body)) {
    // Koa has set its length. To HEAD, Node sends the headers alone.
    res.end(body);
  } else if (ctx.method === "HEAD") {
    res.end();
  } else {
    pipeline(body, res, (error) => {
      if (error) ctx.onerror(error);
    });
  }
}
