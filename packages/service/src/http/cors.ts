/**
 * Cross-origin requests (Fetch standard, "CORS protocol") to one path: which pages' scripts may read its
 * answers. A browser asks before it sends; nobody else is held back or let through by this.
 */
import { problem } from "./problem-error.ts";
import { type AppContext, type AppRouter, createRouter } from "./router.ts";

/** How long a browser remembers that it may, in seconds. */
const MAX_AGE_SECONDS = 600;

/** Answer headers that a script may read besides the safe ones. */
const EXPOSED = [
  "DPoP-Nonce",
  "RateLimit",
  "RateLimit-Policy",
  "Retry-After",
  "WWW-Authenticate",
  "X-Request-Id",
];

/**
 * Stands before the router whose POST route is meant, and goes on to it. Only a preflight is answered
 * here, and that answer says nothing but what a script may send.
 */
export function createCors({
  origins,
  path,
  headers,
}: {
  /** Origins as browsers write them: scheme, host, port. */
  origins: readonly string[];
  path: string;
  /** Request headers that a script may set. */
  headers: readonly string[];
}): AppRouter {
  function allow(ctx: AppContext): boolean {
    const origin = ctx.get("Origin");
    ctx.vary("Origin");
    if (!origins.includes(origin)) return false;
    ctx.set("Access-Control-Allow-Origin", origin);
    return true;
  }

  const router = createRouter();
  router.options(path, (ctx) => {
    const isPreflight = ctx.get("Origin") !== "" && ctx.get("Access-Control-Request-Method") !== "";
    if (!isPreflight) throw problem(405, { headers: { Allow: "POST" } });
    if (allow(ctx)) {
      ctx.set("Access-Control-Allow-Methods", "POST");
      ctx.set("Access-Control-Allow-Headers", headers.join(", "));
      ctx.set("Access-Control-Max-Age", String(MAX_AGE_SECONDS));
    }
    ctx.status = 204;
  });
  router.post(path, async (ctx, next) => {
    if (allow(ctx)) ctx.set("Access-Control-Expose-Headers", EXPOSED.join(", "));
    await next();
  });
  return router;
}
