/** All resources in memory, kept right by the change watcher. */
import type { Resource, ResourcesStore } from "./resources-store.ts";

export interface ResourceDirectory {
  find(uri: string): Resource | undefined;
  all(): readonly Resource[];
  reload(): Promise<void>;
}

export async function createResourceDirectory(store: ResourcesStore): Promise<ResourceDirectory> {
  let byUri = new Map<string, Resource>();
  async function reload(): Promise<void> {
    byUri = new Map((await store.all()).map((resource) => [resource.uri, resource]));
  }
  await reload();
  return { find: (uri) => byUri.get(uri), all: () => [...byUri.values()], reload };
}
