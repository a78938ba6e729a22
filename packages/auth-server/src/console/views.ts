/** Which page stands where. */
import { auditCheck, auditList } from "./audit-pages.ts";
import { clientList, oneClient } from "./client-pages.ts";
import type { View } from "./endpoint.ts";
import { overview } from "./overview.ts";
import { apiPage, keysPage, resourcesPage } from "./server-pages.ts";
import { trustPage } from "./trust-pages.ts";
import { usage } from "./usage-page.ts";

export const VIEWS: Readonly<Record<string, View>> = {
  "/console": overview,
  "/console/clients": clientList,
  "/console/clients/:client_id": oneClient,
  "/console/resources": resourcesPage,
  "/console/trust": trustPage,
  "/console/usage": usage,
  "/console/audit": auditList,
  "/console/audit/verify": auditCheck,
  "/console/keys": keysPage,
  "/console/api": apiPage,
};
