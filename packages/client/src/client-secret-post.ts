/** `client_secret` in the form (RFC 6749 §2.3.1): carries the generated secret itself. */
import { type ClientCredential, obtain, requireClientId, type Sourced } from "./credential.ts";
import { kidOf } from "./secret-material.ts";

/** @throws {DaykeyError} `credential` */
export function clientSecretPost({
  clientId,
  secret,
}: {
  clientId: string;
  secret: Sourced<string>;
}): ClientCredential {
  requireClientId(clientId);
  return {
    clientId,
    method: "client_secret_post",
    isDated: false,
    async prove() {
      const client_secret = await obtain(secret);
      await kidOf(client_secret);
      return { form: { client_id: clientId, client_secret } };
    },
  };
}
