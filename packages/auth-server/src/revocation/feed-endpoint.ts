/** `GET /revocations`: the feed that lets resource-servers refuse a revoked token within a second. */
import { OAuthError } from "@daykey/common/oauth-error";
import { PATHS } from "@daykey/common/protocol";
import type { ChangeWatcher } from "../changes/watcher.ts";
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
  watcher,
  stopping,
}: {
  bearer: BearerAuthorizer;
  liveSet: LiveSet;
  clock: Clock;
  watcher: Pick<ChangeWatcher, "subscribe">;
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
    const { headers } = ctx.req;
    const refused = new AbortController();
    const stream = createFeedStream({
      liveSet,
      lifeSeconds: claims.exp - clock(),
      stopping: AbortSignal.any([stopping, refused.signal]),
    });
    // Whoever may not open a feed any more has none: asked again whenever something may have changed.
    const unsubscribe = watcher.subscribe(() => void endUnlessAllowed());
    stream.once("close", unsubscribe);
    ctx.body = stream;

    async function endUnlessAllowed(): Promise<void> {
      try {
        await bearer.authorize(headers, FEED_SCOPE);
      } catch (error) {
        // While the database cannot be read nothing is known, and there is no news to tell.
        if (error instanceof OAuthError && error.status < 500) refused.abort();
      }
    }
  });
  return router;
}
