/** Grants: their store, and what follows when a client ends one of its own. */
import type { Ground } from "../ground.ts";
import { createGrantsStore, type GrantsStore } from "./grants-store.ts";
import { type AfterOwnEnd, createAfterOwnEnd } from "./own-ends.ts";

export interface Grants {
  grants: GrantsStore;
  afterOwnEnd: AfterOwnEnd;
}

export function composeGrants({
  settings,
  database,
  newsSeconds,
  log,
  revocations,
}: Pick<Ground, "settings" | "database" | "newsSeconds" | "log"> & {
  revocations: Parameters<typeof createAfterOwnEnd>[0]["revocations"];
}): Grants {
  const limit = settings.revocationsPerClient;
  return {
    grants: createGrantsStore(database, { newsSeconds }),
    afterOwnEnd: createAfterOwnEnd({ revocations, limit, log }),
  };
}
