/**
 * Which scopes a client has at which of its resources (docs/protocol.md §2.5). A scope is its resource's: one
 * of the same name at another resource is another scope.
 */
import { comparableUri } from "@daykey/common/resource-uri";
import { intersection } from "@daykey/common/scope";
import type { Resource } from "../resources/resources-store.ts";
import type { ClientRegistration, ScopesAtResource } from "./client.ts";

type Rights = Pick<ClientRegistration, "scopes" | "resourceScopes">;
type Defined = Pick<Resource, "uri" | "scopes">;

/** What the client has at this resource, which it may not have among its own, and which still defines it. */
export function scopesAt({ scopes, resourceScopes }: Rights, resource: Defined): string[] {
  const held = intersection(scopes, resource.scopes);
  return resourceScopes ? intersection(held, listedAt(resourceScopes, resource.uri)) : held;
}

function listedAt(list: readonly ScopesAtResource[], uri: string): readonly string[] {
  return list.find(({ resource }) => resource === uri)?.scopes ?? [];
}

/**
 * Why a client cannot have these, or undefined. What the issuer defines is the client's at the issuer alone, so
 * it is taken away from `scopes`, and there is one place that says who may administrate.
 */
export function resourceScopesFault(
  { scopes, resources, resourceScopes }: ClientRegistration,
  {
    before,
    known,
    issuer,
  }: { before: Rights | undefined; known: readonly Defined[]; issuer: string },
): string | undefined {
  if (!resourceScopes) return undefined;
  const uris = resourceScopes.map(({ resource }) => resource);
  if (new Set(uris).size !== uris.length || !uris.every((uri) => resources.includes(uri))) {
    return "resource_scopes name resources of the client's, each once.";
  }
  for (const { resource, scopes: listed } of resourceScopes) {
    const defined = known.find(({ uri }) => uri === resource)?.scopes ?? [];
    const kept = listedAt(before?.resourceScopes ?? [], resource);
    const isHeld = (scope: string): boolean =>
      scopes.includes(scope) && (defined.includes(scope) || kept.includes(scope));
    if (new Set(listed).size !== listed.length || !listed.every(isHeld)) {
      return "resource_scopes hold scopes of the client's, each once, that the resource defines.";
    }
  }
  const own = known.find(({ uri }) => uri === issuer);
  const ofIssuer = own && resources.includes(issuer) ? intersection(scopes, own.scopes) : [];
  return ofIssuer.every((scope) => listedAt(resourceScopes, issuer).includes(scope))
    ? undefined
    : "resource_scopes hold all at the issuer that scopes hold of it: take it from scopes.";
}

/**
 * What a change of other members leaves of them: what was decided stays, and what is new counts at each resource
 * that defines it. Those that are not listed stay so.
 */
export function carriedOver(
  { scopes, resources }: ClientRegistration,
  before: ClientRegistration,
  known: readonly Defined[],
): readonly ScopesAtResource[] | undefined {
  const list = before.resourceScopes;
  if (!list) return undefined;
  return resources.map((resource) => {
    const defined = known.find(({ uri }) => uri === resource)?.scopes ?? [];
    const isNewResource = !before.resources.includes(resource);
    const decided = listedAt(list, resource);
    return {
      resource,
      scopes: scopes.filter((scope) =>
        isNewResource || !before.scopes.includes(scope)
          ? defined.includes(scope)
          : decided.includes(scope),
      ),
    };
  });
}

/** Each as it is registered; what nothing registered is equivalent to (RFC 3986 §6.2.3) stays. */
function registeredUris(uris: readonly string[], known: readonly Defined[]): string[] {
  const exact = new Set(known.map(({ uri }) => uri));
  const byForm = new Map(known.map(({ uri }) => [comparableUri(uri), uri]));
  return uris.map((uri) => (exact.has(uri) ? uri : (byForm.get(comparableUri(uri)) ?? uri)));
}

/** With the resources that it names as they are registered. */
export function inRegisteredForm(
  asked: ClientRegistration,
  known: readonly Defined[],
): ClientRegistration {
  const uriOf = (uri: string): string => registeredUris([uri], known)[0] ?? uri;
  return {
    ...asked,
    resources: registeredUris(asked.resources, known),
    resourceScopes: asked.resourceScopes?.map(({ resource, scopes }) => ({
      resource: uriOf(resource),
      scopes,
    })),
    exchange: asked.exchange && {
      ...asked.exchange,
      audiences: registeredUris(asked.exchange.audiences, known),
    },
  };
}
