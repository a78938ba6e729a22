/** `/nginx`, `/traefik`, `/caddy` and `/envoy/…`: the answer that each proxy understands. */
import type { BlockList } from "node:net";
import { linesOf } from "@daykey/guard/node";
import { isTrusted } from "@daykey/service/http/address";
import { problem } from "@daykey/service/http/problem-error";
import { type AppContext, type AppRouter, createRouter } from "@daykey/service/http/router";
import type { CheckProxied } from "./check.ts";
import { DOORS, type HttpDoor } from "./doors.ts";

export function createDoorsEndpoint({
  doors,
  check,
  trustedProxies,
}: {
  doors: readonly HttpDoor[];
  check: CheckProxied;
  trustedProxies: BlockList;
}): AppRouter {
  const router = createRouter();
  for (const name of doors) {
    const { path, read } = DOORS[name];
    router.all(path, async (ctx) => {
      ctx.state.logFields["door"] = name;
      // What stands in headers is the proxy's word, and anybody could send them.
      const peer = ctx.req.socket.remoteAddress ?? "";
      if (!isTrusted(peer, trustedProxies)) {
        throw problem(403, { reason: "untrusted_peer" });
      }
      const asked = read(ctx.req);
      if (!asked) throw problem("ambiguous-request", { reason: "door_headers" });
      const { address } = ctx.state;
      const names = Object.keys(ctx.req.headers);
      const verdict = await check({ ...asked, lines: linesOf(ctx.req), names, address, peer });
      Object.assign(ctx.state.logFields, verdict.log);
      ctx.set("Cache-Control", "no-store");
      if (verdict.allowed) {
        ctx.status = 200;
        ctx.set(verdict.identity);
        ctx.body = "";
      } else {
        ctx.status = verdict.status;
        ctx.body = JSON.stringify(verdict.body);
      }
      ctx.set(verdict.headers);
    });
  }
  return router;
}

/**
 * Puts a refusal into headers where the door has nothing else for it. It sees every answer, also those that
 * no route gave.
 */
export function finishAnswer(ctx: AppContext): undefined {
  const { status } = ctx;
  if (status === 200 || ctx.path !== DOORS.nginx.path) return;
  ctx.set("X-Daykey-Status", String(status));
  ctx.set("X-Daykey-Problem", typeof ctx.body === "string" ? ctx.body : "");
  // Every other status is a fault to nginx, with a line in its log for each.
  if (status === 401 || status === 403) return;
  ctx.state.logFields["told"] = status;
  ctx.status = 403;
}
