/** `client_secret_hash` in day form (docs/protocol.md §1.3): good until 00:05 UTC for whoever holds it. */
import { dayFormHash } from "@daykey/common/secret-hash";
import { type ClientCredential, requireClientId, type Sourced } from "./credential.ts";
import { obtainMaterial, type SecretMaterial } from "./secret-material.ts";
import { webHash } from "./web-hash.ts";

/** @throws {DaykeyError} `credential` */
export function dayForm({
  clientId,
  material,
}: {
  clientId: string;
  material: Sourced<SecretMaterial>;
}): ClientCredential {
  requireClientId(clientId);
  return {
    clientId,
    method: "client_secret_hash_day",
    isDated: true,
    async prove({ now }) {
      const client_secret_hash = await dayFormHash(webHash, await obtainMaterial(material), now);
      return { form: { client_id: clientId, client_secret_hash } };
    },
  };
}
