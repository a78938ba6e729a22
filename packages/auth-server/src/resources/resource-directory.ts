/** All resources in memory, kept right by the change watcher. */
import { comparableUri } from "@daykey/common/resource-uri";
import type { Resource, ResourcesStore } from "./resources-store.ts";

export interface ResourceDirectory {
  /** By its registered URI, or an equivalent one (RFC 3986 §6.2.3). */
  find(uri: string): Resource | undefined;
  /** Whether the client is some resource's server. */
  isOwner(clientId: string): boolean;
  all(): readonly Resource[];
  reload(): Promise<void>;
}

export async function createResourceDirectory(store: ResourcesStore): Promise<ResourceDirectory> {
  let byUri = new Map<string, Resource>();
  let byComparable = new Map<string, Resource>();
  let owners = new Set<string | undefined>();
  async function reload(): Promise<void> {
    const all = await store.all();
    byUri = new Map(all.map((resource) => [resource.uri, resource]));
    byComparable = new Map(all.map((resource) => [comparableUri(resource.uri), resource]));
    owners = new Set(all.map(({ ownerClientId }) => ownerClientId));
  }
  await reload();
  return {
    find: (uri) => byUri.get(uri) ?? byComparable.get(comparableUri(uri)),
    isOwner: (clientId) => owners.has(clientId),
    all: () => [...byUri.values()],
    reload,
  };
}
