/**
 * Authorization-server metadata (RFC 8414), the same document at OpenID Connect's address because
 * stock clients look there. It says what is mounted. Some members are there only because libraries
 * refuse a document without them: those of OpenID Connect for Nimbus and go-oidc, and
 * `authorization_endpoint` for the MCP SDKs.
 */
import { DPOP_ALGORITHMS } from "@daykey/common/dpop";
import {
  ASSERTION_ALGORITHMS,
  GRANT_TYPES,
  type GrantType,
  ID_JAG_PROFILE,
  JWT_BEARER_GRANT,
  PATHS,
  TOKEN_EXCHANGE_GRANT,
} from "@daykey/common/protocol";
import type { CertificateSource } from "@daykey/service/http/client-certificate";
import { type AppRouter, createRouter } from "@daykey/service/http/router";
import type { KeyRing } from "../keys/key-ring.ts";
import type { ResourceDirectory } from "../resources/resource-directory.ts";

const METADATA_MAX_AGE_SECONDS = 300;

export function createMetadataEndpoint({
  issuer,
  keys,
  directory,
  workloads,
  isOpenGrantType,
  settings: { clientCertificates, clientCaFile, mtlsUrl },
}: {
  issuer: string;
  keys: KeyRing;
  directory: ResourceDirectory;
  /** What exists only while an issuer is trusted. */
  workloads: { isOpenToSpiffe(): boolean };
  isOpenGrantType: (grantType: GrantType) => boolean;
  settings: {
    clientCertificates: CertificateSource;
    clientCaFile: string | undefined;
    mtlsUrl: string | undefined;
  };
}): AppRouter {
  const takesIdJag = (): boolean =>
    isOpenGrantType(JWT_BEARER_GRANT) && isOpenGrantType(TOKEN_EXCHANGE_GRANT);
  const router = createRouter();
  const isMutual = clientCertificates !== "off";
  const methods = [
    "client_secret_basic",
    "client_secret_post",
    "client_secret_hash",
    "private_key_jwt",
    ...(clientCaFile === undefined ? [] : ["tls_client_auth"]),
    ...(isMutual ? ["self_signed_tls_client_auth"] : []),
  ];
  for (const path of [PATHS.authorizationServerMetadata, PATHS.openidConfiguration]) {
    router.get(path, (ctx) => {
      ctx.set("Cache-Control", `public, max-age=${METADATA_MAX_AGE_SECONDS}`);
      ctx.body = {
        issuer,
        authorization_endpoint: `${issuer}${PATHS.authorize}`,
        token_endpoint: `${issuer}${PATHS.token}`,
        jwks_uri: `${issuer}${PATHS.jwks}`,
        scopes_supported: [...new Set(directory.all().flatMap((resource) => resource.scopes))],
        grant_types_supported: GRANT_TYPES.filter(isOpenGrantType),
        ...authenticationAt("token_endpoint", [
          ...methods,
          ...(workloads.isOpenToSpiffe() ? ["spiffe_jwt"] : []),
        ]),
        introspection_endpoint: `${issuer}${PATHS.introspect}`,
        ...authenticationAt("introspection_endpoint", methods),
        revocation_endpoint: `${issuer}${PATHS.revoke}`,
        ...authenticationAt("revocation_endpoint", methods),
        ...(takesIdJag() && { authorization_grant_profiles_supported: [ID_JAG_PROFILE] }),
        response_types_supported: [],
        dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
        ...(isMutual && { tls_client_certificate_bound_access_tokens: true }),
        ...(mtlsUrl !== undefined && {
          mtls_endpoint_aliases: {
            token_endpoint: `${mtlsUrl}${PATHS.token}`,
            introspection_endpoint: `${mtlsUrl}${PATHS.introspect}`,
            revocation_endpoint: `${mtlsUrl}${PATHS.revoke}`,
          },
        }),
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: keys.signingAlgorithms(),
      };
    });
  }
  return router;
}

/** Clients authenticate in the same ways wherever they do (RFC 8414 §2 wants it said for each), and workloads for tokens. */
function authenticationAt(
  endpoint: string,
  methods: readonly string[],
): Record<string, readonly string[]> {
  return {
    [`${endpoint}_auth_methods_supported`]: methods,
    // `EdDSA` is the older name of `Ed25519` (RFC 9864), and the one that many libraries look for.
    [`${endpoint}_auth_signing_alg_values_supported`]: [...ASSERTION_ALGORITHMS, "EdDSA"],
  };
}
