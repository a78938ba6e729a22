/** Revocation: its stores, and the live set that the change watcher keeps right. */
import type { Ground } from "../ground.ts";
import { createLiveSet, type LiveSet } from "./live-set.ts";
import { createRestoreStore, type RestoreStore } from "./restore-store.ts";
import { createRevocationsStore, type RevocationsStore } from "./revocations-store.ts";

export interface Revocation {
  revocations: RevocationsStore;
  restorations: RestoreStore;
  liveSet: LiveSet;
}

export function composeRevocation({
  database,
  newsSeconds,
  log,
}: Pick<Ground, "database" | "newsSeconds" | "log">): Revocation {
  const revocations = createRevocationsStore(database, { newsSeconds });
  return {
    revocations,
    restorations: createRestoreStore(database, { newsSeconds }),
    liveSet: createLiveSet(revocations, { log }),
  };
}
