/** Some of the resource server's routers behind the real application, on a free port. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { PROBLEM_FORMAT } from "@daykey/service/http/errors";
import { createTrustedProxies } from "@daykey/service/http/address";
import { createApp } from "@daykey/service/http/app";
import { problem } from "@daykey/service/http/problem-error";
import type { AppMiddleware, AppRouter } from "@daykey/service/http/router";
import { createTestLog } from "@daykey/service/test/log";

export interface RouterServer {
  readonly url: string;
  /** What was logged, parsed. */
  readonly lines: Record<string, unknown>[];
  stop(): Promise<void>;
}

export async function serveRouters(...routers: AppRouter[]): Promise<RouterServer> {
  const { log, lines } = createTestLog();
  const trustedProxies = createTrustedProxies([]);
  const app = createApp({ log, trustedProxies, errorFormat: PROBLEM_FORMAT, routers });
  const server = createServer((req, res) => void app(req, res)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lines,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** A guard that lets a caller with `Authorization: Bearer <scope>` through, as the client "app". */
export function bearerOfScope(scope: string): AppMiddleware {
  return (ctx, next) => {
    if (ctx.get("Authorization") === `Bearer ${scope}`) {
      ctx.state.clientId = "app";
      return next();
    }
    throw problem(401, { headers: { "WWW-Authenticate": "Bearer" } });
  };
}
