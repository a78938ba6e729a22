/** `/resources`: what a token can be for, and the scopes each resource understands (RFC 8707). */
import { createHash } from "node:crypto";
import { z } from "zod";
import { comparableUri } from "@daykey/common/resource-uri";
import { isScopeToken } from "@daykey/common/scope";
import { problem, type ProblemError } from "@daykey/service/http/problem-error";
import { ADMIN_SCOPE } from "../clients/client.ts";
import type { Resource, ResourcesStore } from "../resources/resources-store.ts";
import { requireMatch } from "./conditions.ts";
import type { Recorder } from "./recorder.ts";
import { type Answer, PARAMETERS, route, type Route } from "./route.ts";
import { listOf, text } from "./schema-parts.ts";

const tag = "resources";

/** Names of ours that are no address of anyone's. */
const OWN_URIS = "urn:daykey:";
/** No other resource defines one of these: who reads `daykey:admin` knows whose it is. */
const ISSUER_SCOPES: ReadonlySet<string> = new Set([ADMIN_SCOPE, "revocations:read", "introspect"]);

export const resourceView = z.strictObject({
  /** Absolute, without a fragment (RFC 8707 §2). */
  uri: PARAMETERS.uri,
  name: text(200),
  scopes: z.array(text(200)).min(1).max(200),
  /** The client that is this resource's server. */
  owner_client_id: PARAMETERS.client_id.nullable(),
});
type ResourceView = z.infer<typeof resourceView>;

export const newResource = z.strictObject({
  ...resourceView.shape,
  owner_client_id: resourceView.shape.owner_client_id.optional(),
});

export const resourceReplacement = z.strictObject({
  ...resourceView.shape,
  uri: resourceView.shape.uri.optional(),
});

export const resourceList = listOf(resourceView);

export function createResourceRoutes({
  resources,
  issuer,
  recorder,
}: {
  resources: ResourcesStore;
  issuer: string;
  recorder: Recorder;
}): Route[] {
  async function find(uri: string): Promise<Resource> {
    refuseOwnUri(uri);
    const found = await resources.find(uri);
    if (found) return found;
    throw unknownResource();
  }

  /** What the auth-server itself understands is not an operator's to change. */
  function refuseIssuer(uri: string): void {
    if (uri !== issuer) return;
    throw problem("issuer-resource");
  }

  return [
    route({
      method: "get",
      path: "/resources",
      operationId: "listResources",
      tag,
      summary: "All resources, the issuer's own too",
      status: 200,
      answer: resourceList,
      async handle() {
        const all = (await resources.all()).map(viewOf);
        return { body: { items: all.toSorted((a, b) => (a.uri < b.uri ? -1 : 1)) } };
      },
    }),

    route({
      method: "post",
      path: "/resources",
      operationId: "createResource",
      tag,
      summary: "Register a resource",
      body: newResource,
      status: 201,
      answer: resourceView,
      etag: true,
      problems: [409],
      async handle({ actor, body }) {
        const resource = checked({ ...body, owner_client_id: body.owner_client_id ?? null });
        const record = recorder({ actor, action: "resource.create", target: resource.uri });
        const outcome = await resources.create(resource, async (tx) =>
          record(tx, null, viewOf(resource)),
        );
        if (outcome === "no_owner") throw unknownOwner();
        if (outcome === "exists") throw problem("resource-exists");
        const location = `/resources/${encodeURIComponent(resource.uri)}`;
        return { ...answerOf(resource), location };
      },
    }),

    route({
      method: "get",
      path: "/resources/{uri}",
      operationId: "readResource",
      tag,
      summary: "A resource, by its percent-encoded URI",
      status: 200,
      answer: resourceView,
      etag: true,
      problems: [404],
      handle: async ({ params }) => answerOf(await find(params.uri)),
    }),

    route({
      method: "put",
      path: "/resources/{uri}",
      operationId: "replaceResource",
      tag,
      summary: "Replace all of a resource but its URI",
      body: resourceReplacement,
      ifMatch: "optional",
      status: 200,
      answer: resourceView,
      etag: true,
      problems: [404, 409],
      async handle({ actor, params: { uri }, ifMatch, body }) {
        refuseOwnUri(uri);
        function decide(before: Resource): Resource | undefined {
          requireMatch(ifMatch, etagOf(before));
          const isSame = body.uri === undefined || comparableUri(body.uri) === comparableUri(uri);
          if (!isSame) throw problem("other-resource");
          const view: ResourceView = { ...body, uri: before.uri };
          if (etagOf(toResource(view)) === etagOf(before)) return undefined;
          refuseIssuer(before.uri);
          return checked(view, before.scopes);
        }
        const changed = await resources.change(uri, decide, async (tx, before, after, listed) =>
          recorder({ actor, action: "resource.change", target: before.uri })(tx, viewOf(before), {
            ...viewOf(after),
            // Clients whose rights were written down, as they are, so that they gain nothing by it.
            ...(listed > 0 && { listed_clients: listed }),
          }),
        );
        if (changed === "unknown") throw unknownResource();
        if (changed === "no_owner") throw unknownOwner();
        if (changed === "shared_names") throw problem("shared-scope-names");
        return answerOf(changed);
      },
    }),

    route({
      method: "delete",
      path: "/resources/{uri}",
      operationId: "deleteResource",
      tag,
      summary: "Remove a resource that no client has",
      ifMatch: "optional",
      status: 204,
      problems: [404, 409],
      async handle({ actor, params: { uri }, ifMatch }) {
        refuseOwnUri(uri);
        function check(before: Resource): void {
          requireMatch(ifMatch, etagOf(before));
          refuseIssuer(before.uri);
        }
        const outcome = await resources.remove(uri, check, async (tx, before) =>
          recorder({ actor, action: "resource.delete", target: before.uri })(
            tx,
            viewOf(before),
            null,
          ),
        );
        if (outcome === "unknown") throw unknownResource();
        if (outcome === "in_use") throw problem("resource-in-use");
        return {};
      },
    }),
  ];
}

/**
 * @param before scopes that it had: those of the issuer's that an earlier version let it have stay
 * @throws {ProblemError} 400 for a URI that is not absolute, or scopes that are none or the issuer's own
 */
function checked(view: ResourceView, before: readonly string[] = []): Resource {
  const resource = toResource(view);
  const { uri, scopes } = resource;
  const isAbsolute = URL.canParse(uri) && !uri.includes("#") && !uri.startsWith(OWN_URIS);
  const areScopes = scopes.every(isScopeToken) && new Set(scopes).size === scopes.length;
  const ofIssuer = scopes.find((scope) => ISSUER_SCOPES.has(scope) && !before.includes(scope));
  const fault =
    (isAbsolute ? undefined : "uri is absolute and has no fragment.") ??
    (areScopes ? undefined : "scopes are scope tokens, each once.") ??
    (ofIssuer === undefined ? undefined : `${ofIssuer} is a scope of the issuer's own.`);
  if (fault === undefined) return resource;
  throw problem("invalid-resource", { detail: fault });
}

function toResource(view: ResourceView): Resource {
  const { uri, name, scopes, owner_client_id: owner } = view;
  return { uri, name, scopes, ownerClientId: owner ?? undefined };
}

function viewOf({ uri, name, scopes, ownerClientId }: Resource): ResourceView {
  return { uri, name, scopes: [...scopes], owner_client_id: ownerClientId ?? null };
}

function answerOf(resource: Resource): Answer {
  return { body: viewOf(resource), etag: etagOf(resource) };
}

/** A resource has no version: what it holds is told apart by its digest. */
function etagOf(resource: Resource): string {
  const digest = createHash("sha256")
    .update(JSON.stringify(viewOf(resource)))
    .digest("base64url");
  return `"${digest.slice(0, 22)}"`;
}

function refuseOwnUri(uri: string): void {
  if (uri.startsWith(OWN_URIS)) throw unknownResource();
}

function unknownResource(): ProblemError {
  return problem("unknown-resource");
}

function unknownOwner(): ProblemError {
  return problem("unknown-owner");
}
