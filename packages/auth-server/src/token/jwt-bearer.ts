/**
 * The JWT bearer grant (RFC 7523 §2.1): an assertion of a trusted issuer is the grant. A rule of trust says
 * which client it makes, so authentication has decided all by the time it comes here. Nothing is written.
 */
import { OAuthError } from "@daykey/common/oauth-error";
import type { Authorize } from "./grant-type.ts";

/** @param openGrant what the client may get, as for its credentials */
export function createJwtBearer(openGrant: Authorize): Authorize {
  return async (request) => {
    if (request.client.workload) return openGrant(request);
    throw new OAuthError("invalid_request", "The parameter assertion is missing.");
  };
}
