/** Protected-resource metadata (RFC 9728): which auth-server issues tokens for this resource. */
import { DPOP_ALGORITHMS } from "@daykey/common/dpop";
import { PATHS } from "@daykey/common/protocol";
import { type AppRouter, createRouter } from "@daykey/service/http/router";

const METADATA_MAX_AGE_SECONDS = 300;

export function createMetadataEndpoint({
  resource,
  issuer,
  scopes,
  answerAlgorithms,
  isDpopRequired,
  takesCertificates,
}: {
  resource: string;
  issuer: string;
  scopes: readonly string[];
  /** JWS names of the algorithms that sign this server's answers. */
  answerAlgorithms: readonly string[];
  isDpopRequired: boolean;
  /** Whether tokens may be bound to the certificates of connections (RFC 8705). */
  takesCertificates: boolean;
}): AppRouter {
  const router = createRouter();
  router.get(PATHS.protectedResourceMetadata, (ctx) => {
    ctx.set("Cache-Control", `public, max-age=${METADATA_MAX_AGE_SECONDS}`);
    ctx.body = {
      resource,
      authorization_servers: [issuer],
      scopes_supported: scopes,
      bearer_methods_supported: ["header"],
      dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
      dpop_bound_access_tokens_required: isDpopRequired,
      ...(takesCertificates && { tls_client_certificate_bound_access_tokens: true }),
      jwks_uri: `${resource}${PATHS.jwks}`,
      resource_signing_alg_values_supported: [...new Set(answerAlgorithms)],
      resource_name: "Daykey time and primes",
    };
  });
  return router;
}
