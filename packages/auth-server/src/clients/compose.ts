/** The clients: their store, and the cache that authentication reads them from. */
import type { Ground } from "../ground.ts";
import { type ClientCache, createClientCache } from "./client-cache.ts";
import { type ClientsStore, createClientsStore } from "./clients-store.ts";

export interface Clients {
  /** The change watcher tells it the floor under the clients' epochs. */
  clients: ClientsStore & { raiseEpochFloor(floor: number): void };
  cache: ClientCache;
}

export function composeClients({
  settings,
  issuer,
  database,
  clock,
  masterKey: { enumerationKey },
  isStale,
}: Pick<Ground, "settings" | "issuer" | "database" | "clock"> & {
  /** Its enumeration key makes up the answers for clients that do not exist. */
  masterKey: { enumerationKey: Buffer };
  /** Whether the changes were read so long ago that the cache must not be used. */
  isStale: () => boolean;
}): Clients {
  let epochFloor = 0;
  const store = createClientsStore(database, {
    issuer,
    epochFloor: () => epochFloor,
    longestGrantSeconds: settings.refreshAbsoluteMaxSeconds,
  });
  const capacity = settings.clientCacheSize;
  return {
    clients: { ...store, raiseEpochFloor: (floor) => void (epochFloor = floor) },
    cache: createClientCache({ store, clock, enumerationKey, capacity, isStale }),
  };
}
