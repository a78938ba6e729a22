/**
 * `GET /.well-known/oauth-protected-resource` (RFC 9728), which the challenges name: where tokens for a
 * resource come from. Proxies send that path of every host to the gateway, since the service knows nothing
 * of it. It is public, and believes nobody: the answers are those of the routes file.
 */
import { DPOP_ALGORITHMS } from "@daykey/common/dpop";
import { PATHS } from "@daykey/common/protocol";
import { problem } from "@daykey/service/http/problem-error";
import { type AppRouter, createRouter } from "@daykey/service/http/router";
import { readHost } from "./request-target.ts";
import type { Resources } from "./routes.ts";

const MAX_AGE_SECONDS = 300;

export function createMetadataEndpoint({
  issuer,
  resources,
  isDpopRequired,
  takesCertificates,
}: {
  issuer: string;
  isDpopRequired: boolean;
  /** Whether tokens may be bound to the certificates of connections (RFC 8705). */
  takesCertificates: boolean;
  /** Asked for each request: the routes may have been replaced. */
  resources: () => Resources;
}): AppRouter {
  const router = createRouter();
  router.get(`${PATHS.protectedResourceMetadata}{/*path}`, (ctx) => {
    const path = ctx.path.slice(PATHS.protectedResourceMetadata.length);
    const found = resourceAt([...resources().keys()], ctx.get("Host"), path);
    if (found === undefined) throw problem(404);
    ctx.set("Cache-Control", `public, max-age=${MAX_AGE_SECONDS}`);
    ctx.body = {
      // RFC 9728 §3.3: as the tokens have it, or the caller must not use the answer.
      resource: found,
      authorization_servers: [issuer],
      scopes_supported: [...(resources().get(found) ?? [])].toSorted(),
      bearer_methods_supported: ["header"],
      dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
      dpop_bound_access_tokens_required: isDpopRequired,
      ...(takesCertificates && { tls_client_certificate_bound_access_tokens: true }),
    };
  });
  return router;
}

/**
 * The resource whose metadata is at this place (RFC 9728 §3.1): one with this host and path. The port
 * counts only between two that differ in nothing else, since many proxies do not pass it on.
 */
function resourceAt(resources: readonly string[], named: string, path: string): string | undefined {
  const host = readHost(named);
  const near = resources.filter((resource) => {
    const { hostname, pathname } = new URL(resource);
    return hostname === host && (pathname === "/" ? "" : pathname) === path;
  });
  if (near.length === 1) return near[0];
  const exact = near.filter((resource) => new URL(resource).host === named.toLowerCase());
  return exact.length === 1 ? exact[0] : undefined;
}
