/**
 * The client-credentials grant (RFC 6749 §4.4): authentication is the grant. Nothing is written.
 * A refresh token comes with it where the client is registered for that grant type; RFC 6749 §4.4.3
 * says it SHOULD NOT (docs/adr/0001).
 */
import type { Clock } from "@daykey/common/clock";
import { parseScope } from "@daykey/common/scope";
import type { Grant } from "../grants/grant.ts";
import type { ResourceDirectory } from "../resources/resource-directory.ts";
import type { Authorize } from "./grant-type.ts";
import { uuidv7 } from "./random-ids.ts";
import { chooseResourceAndScope } from "./resource-and-scope.ts";

export function createClientCredentials({
  directory,
  clock,
  refreshAbsoluteSeconds,
  refreshAbsoluteMaxSeconds,
}: {
  directory: ResourceDirectory;
  clock: Clock;
  /** Default for clients without their own setting. */
  refreshAbsoluteSeconds: number;
  /** No client's own goes above it: refresh-token keys are kept no longer. */
  refreshAbsoluteMaxSeconds: number;
}): Authorize {
  return async ({ client, form }) => {
    const allowance = { scope: client.scopes, resources: client.resources };
    const { resource, scope } = chooseResourceAndScope(form, client, allowance, directory);
    const now = clock();
    const life = Math.min(
      client.refreshAbsoluteSeconds ?? refreshAbsoluteSeconds,
      refreshAbsoluteMaxSeconds,
    );
    const asked = form.get("scope");
    const grant: Grant = {
      id: uuidv7(now),
      clientId: client.clientId,
      epoch: client.epoch,
      credential: client.credential,
      // Without a `scope` the grant holds all of the client's, so a refresh may name another resource. One that
      // is asked for is the resource's own: at another its name would mean another scope.
      scope: asked === undefined ? client.scopes : parseScope(asked),
      resources:
        asked === undefined
          ? [resource, ...client.resources.filter((uri) => uri !== resource)]
          : [resource],
      expiresAt: Math.floor(now) + life,
    };
    const isRefreshable = client.grantTypes.includes("refresh_token");
    const refresh = isRefreshable ? { seq: 0, issuedAt: Math.floor(now) } : undefined;
    return { client, grant, resource, scope, refresh };
  };
}
