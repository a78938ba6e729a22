/**
 * Which resource a token is for and with which scope: `resource` of RFC 8707 §2, `scope` of RFC 6749
 * §3.3. Both grant types ask here. A scope counts where the grant
 * has it and the client has it at the resource, which still defines it.
 */
import { OAuthError } from "@daykey/common/oauth-error";
import { intersection, parseScope } from "@daykey/common/scope";
import type { Client } from "../clients/client.ts";
import { scopesAt } from "../clients/resource-scopes.ts";
import type { ResourceDirectory } from "../resources/resource-directory.ts";

/** What the request may draw from: a client's registration, or what of it a grant holds. */
export interface Allowance {
  scope: readonly string[];
  /** The first is the default. */
  resources: readonly string[];
  /** Whose rights at the resource bound it too. */
  subject?: Pick<Client, "scopes" | "resourceScopes">;
}

/**
 * @throws {OAuthError} invalid_target for a resource the client or the grant does not have,
 *   invalid_scope for more scope than there is, or for none left
 */
export function chooseResourceAndScope(
  form: ReadonlyMap<string, string>,
  client: Client,
  allowance: Allowance,
  directory: ResourceDirectory,
): { resource: string; scope: readonly string[] } {
  const wanted = form.get("resource");
  const uri = wanted ?? allowance.resources[0];
  const resource = uri === undefined ? undefined : directory.find(uri);
  const isHeld =
    resource !== undefined &&
    client.resources.includes(resource.uri) &&
    allowance.resources.includes(resource.uri);
  if (!isHeld) {
    throw new OAuthError("invalid_target", "The resource is not registered for this client.");
  }
  const own = scopesAt(client, resource);
  const subjects = allowance.subject ? scopesAt(allowance.subject, resource) : own;
  const available = intersection(intersection(allowance.scope, own), subjects);
  const asked = form.get("scope");
  const scope = asked === undefined ? available : parseScope(asked);
  if (scope.length === 0 || !scope.every((token) => available.includes(token))) {
    throw new OAuthError(
      "invalid_scope",
      "The scope exceeds what this client may ask for this resource.",
    );
  }
  return { resource: resource.uri, scope };
}
