/** `client_secret_hash` in one-time form (docs/protocol.md §1.4): what was seen on the way proves nothing again. */
import { formatDate } from "@daykey/common/clock";
import { dayKey, oneTimeHash } from "@daykey/common/secret-hash";
import { type ClientCredential, requireClientId, type Sourced } from "./credential.ts";
import { dpopKeyOfDay } from "./dpop.ts";
import { obtainMaterial, type SecretMaterial } from "./secret-material.ts";
import { webHash } from "./web-hash.ts";

const NONCE_BYTES = 16;

/** @throws {DaykeyError} `credential` */
export function oneTimeForm({
  clientId,
  material,
}: {
  clientId: string;
  material: Sourced<SecretMaterial>;
}): ClientCredential {
  requireClientId(clientId);
  return {
    clientId,
    method: "client_secret_hash_once",
    isDated: true,
    async prove({ issuer, now, isForDayKey = false }) {
      const secret = await obtainMaterial(material);
      const client_secret_hash = await oneTimeHash(webHash, secret, {
        issuer,
        clientId,
        epochSeconds: now,
        nonce: crypto.getRandomValues(new Uint8Array(NONCE_BYTES)),
      });
      const form = { client_id: clientId, client_secret_hash };
      if (!isForDayKey) return { form };
      const key = await dayKey(webHash, secret.root, secret.salt, formatDate(now));
      return { form, dpopKey: await dpopKeyOfDay(key) };
    },
  };
}
