/** What the private listener answers beside metrics and health: the admin API, and the console by setting. */
import type { AppRouter } from "@daykey/service/http/router";
import type { Health } from "@daykey/service/process/health";
import { type AdminDependencies, createAdminRouter, createAdminRoutes } from "../admin/app.ts";
import { createConsoleLinkRoutes } from "../admin/console-links.ts";
import type { Authentication } from "../authentication/compose.ts";
import type { Ground } from "../ground.ts";
import type { IssuerAccess } from "../issuer-access/compose.ts";
import type { Sealer } from "../keys/sealing.ts";
import { createConsole } from "./endpoint.ts";
import { createSessions, SESSION_SECONDS } from "./sessions.ts";

export function createPrivateEndpoints(
  parts: AdminDependencies &
    Pick<Ground, "settings" | "clock"> &
    Pick<IssuerAccess, "readLongRights"> &
    Pick<Authentication, "replays"> & { sealer: Sealer; health: Pick<Health, "state"> },
): AppRouter[] {
  if (!parts.settings.console) return [createAdminRouter(createAdminRoutes(parts, []), parts)];
  const readRights = parts.readLongRights(SESSION_SECONDS);
  const sessions = createSessions({ ...parts, readRights });
  const routes = createAdminRoutes(parts, createConsoleLinkRoutes({ sessions }));
  return [createAdminRouter(routes, parts), createConsole({ ...parts, sessions, routes })];
}
