/**
 * A certificate (RFC 8705 §2): the request carries the client's id, and the connection the certificate. The
 * caller's own `fetch`, in `platform`, shows it: web standards have no word for that.
 */
import { type ClientCredential, requireClientId } from "./credential.ts";

/** @throws {DaykeyError} `credential` */
export function tlsClientAuth({ clientId }: { clientId: string }): ClientCredential {
  requireClientId(clientId);
  return {
    clientId,
    method: "tls_client_auth",
    isDated: false,
    prove: async () => ({ form: { client_id: clientId } }),
  };
}
