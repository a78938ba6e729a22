/** API keys and signature keys: their store, what makes them, and what looks up a presented one. */
import type { LastUsed } from "../authentication/last-used.ts";
import type { Ground } from "../ground.ts";
import type { Sealer } from "../keys/sealing.ts";
import type { RegistrationsStore } from "../registration/registrations-store.ts";
import type { ResourcesStore } from "../resources/resources-store.ts";
import { type AccessKeysStore, createAccessKeysStore } from "./access-keys-store.ts";
import { createPresentedKeys, type PresentedKeys } from "./present.ts";
import { type AccessKeyRegistrar, createAccessKeyRegistrar } from "./register.ts";

export interface AccessKeys {
  accessKeys: AccessKeysStore;
  accessKeyRegistrar: AccessKeyRegistrar;
  presentedKeys: PresentedKeys;
}

/** Seals what is sealed by the master key before this one anew. */
export async function composeAccessKeys({
  issuer,
  database,
  newsSeconds,
  clock,
  sealer,
  lastUsed,
  ...stores
}: Pick<Ground, "issuer" | "database" | "newsSeconds" | "clock"> & {
  sealer: Sealer;
  lastUsed: LastUsed;
  registrations: RegistrationsStore;
  resources: ResourcesStore;
}): Promise<AccessKeys> {
  const accessKeys = createAccessKeysStore(database, { issuer, newsSeconds, sealer });
  await accessKeys.reseal();
  return {
    accessKeys,
    accessKeyRegistrar: createAccessKeyRegistrar({ ...stores, accessKeys, issuer, clock }),
    presentedKeys: createPresentedKeys({ accessKeys, lastUsed, issuer }),
  };
}
