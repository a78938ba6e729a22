import type { AuthMethod } from "@daykey/common/protocol";
import type { CertificateSource } from "@daykey/service/http/client-certificate";
import { comparableName } from "../authentication/certificate-name.ts";
import type { ClientRegistration } from "../clients/client.ts";

export interface CertificateSettings {
  /** `off` when undefined. */
  clientCertificates?: CertificateSource;
  clientCaFile?: string | undefined;
}

/**
 * What is wrong with what a registration says of certificates (RFC 8705), in a sentence. What needs them is
 * for servers that see them, as far as it is new.
 */
export function certificateFault(
  { authMethods, tlsClientAuth, certificateBound = false }: ClientRegistration,
  before: ClientRegistration | undefined,
  { clientCertificates: source = "off", clientCaFile }: CertificateSettings,
): string | undefined {
  const gets = (method: AuthMethod): boolean =>
    authMethods.includes(method) && before?.authMethods.includes(method) !== true;
  if (clientCaFile === undefined && gets("tls_client_auth")) {
    return "tls_client_auth is for servers with the setting CLIENT_CA_FILE.";
  }
  const getsBound = certificateBound && before?.certificateBound !== true;
  if (source === "off" && (getsBound || gets("self_signed_tls_client_auth"))) {
    return "self_signed_tls_client_auth and tls_client_certificate_bound_access_tokens are for servers with the setting CLIENT_CERTIFICATES.";
  }
  if (tlsClientAuth === undefined) {
    return authMethods.includes("tls_client_auth")
      ? "tls_client_auth: the method of this name needs the name that the client's certificate has."
      : undefined;
  }
  return comparableName(tlsClientAuth) === undefined
    ? `tls_client_auth: value is no ${tlsClientAuth.name}. A subject is written as RFC 4514 says; a DNS name has no wildcard.`
    : undefined;
}
