/** Grants: their store, and what follows when a client ends one of its own. */
import type { Ground } from "../ground.ts";
import { createGrantsStore, type GrantsStore } from "./grants-store.ts";
import { type AfterOwnEnd, createAfterOwnEnd, type OwnEnding } from "./own-ends.ts";

export interface Grants {
  grants: GrantsStore;
  afterOwnEnd: AfterOwnEnd;
}

export function composeGrants<Tx>({
  settings,
  database,
  newsSeconds,
  log,
  ...ending
}: Pick<Ground, "settings" | "database" | "newsSeconds" | "log"> & OwnEnding<Tx>): Grants {
  const limit = settings.revocationsPerClient;
  return {
    grants: createGrantsStore(database, { newsSeconds }),
    afterOwnEnd: createAfterOwnEnd({ ...ending, limit, log }),
  };
}
