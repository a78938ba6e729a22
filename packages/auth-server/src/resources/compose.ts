/** The registered resources: their store, and the directory that holds them in memory. */
import type { Ground } from "../ground.ts";
import { createResourceDirectory, type ResourceDirectory } from "./resource-directory.ts";
import { createResourcesStore, type ResourcesStore } from "./resources-store.ts";

export interface Resources {
  resources: ResourcesStore;
  directory: ResourceDirectory;
}

export async function composeResources({
  database,
  issuer,
}: Pick<Ground, "database" | "issuer">): Promise<Resources> {
  const resources = createResourcesStore(database, issuer);
  return { resources, directory: await createResourceDirectory(resources) };
}
