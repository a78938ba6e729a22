/** `GET /revocations`: the feed that lets resource-servers refuse a revoked token within a second. */
import { OAuthError } from "@daykey/common/oauth-error";
import { PATHS } from "@daykey/common/protocol";
import type { Clock } from "@daykey/common/clock";
import { type AppRouter, createRouter } from "@daykey/service/http/router";
import type { BearerAuthorizer } from "../issuer-access/bearer.ts";
import { createFeedStream } from "./feed.ts";
import type { LiveSet } from "./live-set.ts";

const FEED_SCOPE = "revocations:read";

export function createFeedEndpoint({
  bearer,
  liveSet,
  clock,
  stopping,
}: {
  bearer: BearerAuthorizer;
  liveSet: LiveSet;
  clock: Clock;
  stopping: AbortSignal;
}): AppRouter {
  const router = createRouter();
  router.get(PATHS.revocations, async (ctx) => {
    const claims = await bearer.authorize(ctx.req.headers, FEED_SCOPE);
    Object.assign(ctx.state.logFields, { client: claims.client_id, kid: claims.cred });
    // Another instance, or worker, will not have to end it at once.
    if (stopping.aborted) {
      throw new OAuthError("temporarily_unavailable", "The server is stopping. Try again.", {
        detail: "stopping",
      });
    }
    ctx.set("Content-Type", "text/event-stream");
    // Nothing on the way may hold an event back, keep one or compress them.
    ctx.set("Cache-Control", "no-store, no-transform");
    ctx.set("X-Accel-Buffering", "no");
    ctx.status = 200;
    if (ctx.method === "HEAD") return;
    ctx.body = createFeedStream({ liveSet, lifeSeconds: claims.exp - clock(), stopping });
  });
  return router;
}
