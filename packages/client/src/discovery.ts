/** The issuer's metadata (RFC 8414): where its endpoints are. */
import { isJsonObject } from "@daykey/common/json-numbers";
import { PATHS } from "@daykey/common/protocol";
import { boundedFetch } from "./bounded-fetch.ts";
import { DaykeyError } from "./errors.ts";
import { jsonObjectOf } from "./json-answer.ts";
import { type Platform, platformWith } from "./platform.ts";
import { secureUrl } from "./secure-url.ts";

export interface ServerMetadata {
  issuer: string;
  tokenEndpoint: string;
  /** Where clients with certificates ask, if that is not `tokenEndpoint` (RFC 8705 §5). */
  mtlsTokenEndpoint: string | undefined;
  jwksUri: string | undefined;
  introspectionEndpoint: string | undefined;
  revocationEndpoint: string | undefined;
}

export interface DiscoveryOptions {
  allowInsecureRequests?: boolean | undefined;
  timeoutSeconds?: number | undefined;
  signal?: AbortSignal | undefined;
  platform?: Partial<Platform> | undefined;
}

/**
 * Asks the issuer itself. Checked: that the document is this issuer's, compared byte for byte (RFC 8414
 * §3.3), and that every endpoint in it may be sent secrets. Not checked: that they are on the issuer's
 * own origin, and a signature (`signed_metadata` is passed over).
 * @throws {DaykeyError} `insecure_url`, `metadata_endpoint`, `issuer_mismatch`, `invalid_response`,
 *   `network` or `timeout`; the signal's reason when that was aborted
 */
export async function discovery(
  issuer: string,
  { allowInsecureRequests, timeoutSeconds = 10, signal, platform }: DiscoveryOptions = {},
): Promise<ServerMetadata> {
  const insecure = { allowInsecureRequests: allowInsecureRequests ?? false };
  const answer = await boundedFetch(
    platformWith(platform).fetch,
    metadataUrl(secureUrl(issuer, insecure)),
    { headers: { accept: "application/json" } },
    { timeoutSeconds, signal: signal ?? new AbortController().signal },
  );
  if (answer.status !== 200) {
    const { status } = answer;
    throw new DaykeyError("metadata_endpoint", `The issuer's metadata answered ${status}`, {
      status,
    });
  }
  const document = jsonObjectOf(answer);
  if (!document) throw new DaykeyError("invalid_response", "The metadata is not a JSON object");
  if (document["issuer"] !== issuer) {
    throw new DaykeyError("issuer_mismatch", "The metadata is not of the issuer that was asked");
  }

  const endpoint = (name: string, members = document): string | undefined => {
    const value = members[name];
    if (value === undefined) return undefined;
    if (typeof value !== "string") {
      throw new DaykeyError("invalid_response", `The metadata's ${name} is not a URL`);
    }
    secureUrl(value, insecure);
    return value;
  };
  const tokenEndpoint = endpoint("token_endpoint");
  if (tokenEndpoint === undefined) {
    throw new DaykeyError("invalid_response", "The metadata names no token_endpoint");
  }
  const { mtls_endpoint_aliases: aliases = {} } = document;
  if (!isJsonObject(aliases)) {
    throw new DaykeyError("invalid_response", "The metadata's mtls_endpoint_aliases is no object");
  }
  return {
    issuer,
    tokenEndpoint,
    mtlsTokenEndpoint: endpoint("token_endpoint", aliases),
    jwksUri: endpoint("jwks_uri"),
    introspectionEndpoint: endpoint("introspection_endpoint"),
    revocationEndpoint: endpoint("revocation_endpoint"),
  };
}

/** RFC 8414 §3.1: the well-known part goes between host and path. */
function metadataUrl({ origin, pathname, search, hash }: URL): URL {
  if (search !== "" || hash !== "") {
    throw new DaykeyError("insecure_url", "An issuer has neither query nor fragment");
  }
  const path = pathname === "/" ? "" : pathname.replace(/\/$/, "");
  return new URL(`${PATHS.authorizationServerMetadata}${path}`, origin);
}
