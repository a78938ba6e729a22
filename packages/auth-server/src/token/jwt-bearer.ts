/**
 * The JWT bearer grant (RFC 7523 §2.1): an assertion of a trusted issuer is the grant. A workload's own is
 * its authentication too, so all is decided by the time it comes here. An ID-JAG
 * (draft-ietf-oauth-identity-assertion-authz-grant-04 §4.4) says that a client may act for somebody, and
 * comes beside that client's authentication. No row of a grant is written.
 */
import { isTyped } from "@daykey/common/jws";
import { OAuthError } from "@daykey/common/oauth-error";
import { ID_JAG_TYP, TOKEN_EXCHANGE_GRANT } from "@daykey/common/protocol";
import { intersection } from "@daykey/common/scope";
import type { JwtAssertion } from "../authentication/client-assertion.ts";
import type { ParseAssertion } from "../authentication/credential.ts";
import type { ResourceDirectory } from "../resources/resource-directory.ts";
import type { Authorize, AuthenticatedRequest } from "./grant-type.ts";
import type { OnBehalfOf, Subject } from "./on-behalf.ts";

/** @param openGrant what a workload may get, as for its credentials */
export function createJwtBearer({
  openGrant,
  parseAssertion,
  onBehalfOf,
  directory,
}: {
  openGrant: Authorize;
  parseAssertion: ParseAssertion;
  onBehalfOf: OnBehalfOf;
  directory: ResourceDirectory;
}): Authorize {
  return async (request) => {
    const assertion = parseAssertion(request.form.get("assertion") ?? "");
    if (!assertion || !isTyped(assertion.typ, ID_JAG_TYP)) {
      if (request.client.workload) return openGrant(request);
      throw new OAuthError("invalid_request", "The parameter assertion is missing.");
    }
    const { exchange, grantTypes } = request.client;
    if (!exchange || !grantTypes.includes(TOKEN_EXCHANGE_GRANT)) {
      throw new OAuthError("unauthorized_client", "The client may act for nobody.");
    }
    requireFor(request, assertion);
    const { scope, resources } = limitsOf(assertion, directory);
    const subject = await onBehalfOf.ofAssertion(assertion, "id_jag", request, badAssertion);
    const limited = {
      ...subject,
      scope: scope ? intersection(subject.scope, scope) : subject.scope,
      ...(resources && withinResources(subject, resources)),
    };
    return onBehalfOf.act(request, limited, request.form, badAssertion);
  };
}

/** It is for this client, and says nothing that is not understood here. */
function requireFor({ client }: AuthenticatedRequest, { claims }: JwtAssertion): void {
  if (claims["client_id"] !== client.clientId) throw badAssertion("assertion_client");
  if ("authorization_details" in claims) throw badAssertion("assertion_details");
}

/** What its issuer allows at most, where it says so. */
function limitsOf(
  { claims: { scope, resource } }: JwtAssertion,
  directory: ResourceDirectory,
): { scope?: string[]; resources?: string[] } {
  const named = typeof resource === "string" ? [resource] : resource;
  const isResource = named === undefined || (Array.isArray(named) && named.every(isText));
  if (!isResource || !(scope === undefined || isText(scope))) {
    throw badAssertion("malformed_assertion");
  }
  return {
    ...(scope !== undefined && { scope: scope.split(" ") }),
    ...(named && { resources: named.map((uri) => directory.find(uri)?.uri ?? uri) }),
  };
}

/** Its grant keeps them, for whatever is exchanged for its tokens. */
function withinResources(
  { resources, above }: Subject,
  named: readonly string[],
): Pick<Subject, "resources" | "above"> {
  const within = intersection(resources, named);
  return { resources: within, above: above.map((grant) => ({ ...grant, resources: within })) };
}

const isText = (value: unknown): value is string => typeof value === "string";

/** RFC 7521 §4.1.1. */
function badAssertion(detail: string): OAuthError {
  return new OAuthError("invalid_grant", "The assertion cannot be used.", { detail });
}
