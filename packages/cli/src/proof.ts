/** How a client proves itself with what its credential holds. */
import { createHmac } from "node:crypto";
import { clientSecretBasic } from "@daykey/client/client-secret-basic";
import { clientSecretPost } from "@daykey/client/client-secret-post";
import { tlsClientAuth } from "@daykey/client/tls-client-auth";
import type { ClientCredential } from "@daykey/client/credential";
import { DaykeyError } from "@daykey/client/errors";
import { dayForm } from "@daykey/client/day-form";
import { oneTimeForm } from "@daykey/client/one-time-form";
import { formatDate } from "@daykey/common/clock";
import { seedHashMessage } from "@daykey/common/secret-hash";
import type { Credential } from "./credential.ts";

export const FORMS = ["once", "day", "seed", "basic", "post"] as const;
/** How the secret is shown to the server. */
export type Form = (typeof FORMS)[number];

/** The method's registered name of each form, of a client's own key or certificate, and of one by an authority. */
export const METHODS: Record<Form | "key" | "certificate" | "ca" | "workload", string> = {
  once: "client_secret_hash_once",
  day: "client_secret_hash_day",
  seed: "client_secret_hash_seed",
  basic: "client_secret_basic",
  post: "client_secret_post",
  key: "private_key_jwt",
  certificate: "self_signed_tls_client_auth",
  ca: "tls_client_auth",
  workload: "workload",
};

/** How this client proves itself in a form. @throws {DaykeyError} `credential` */
export function proofBy(form: Form, credential: Credential): ClientCredential {
  const { client_id: clientId, client_secret: secret, salt, root = "", kid = "" } = credential;
  if (credential.certificate_file !== undefined) return tlsClientAuth({ clientId });
  if (secret === undefined) {
    const material = { root, kid, salt };
    if (form === "day") return dayForm({ clientId, material });
    if (form === "once") return oneTimeForm({ clientId, material });
    throw new DaykeyError("credential", `A chosen secret works by once and day, not by ${form}`);
  }
  if (form === "basic") return clientSecretBasic({ clientId, secret });
  if (form === "post") return clientSecretPost({ clientId, secret });
  if (form === "seed") return seedForm(clientId, secret, salt);
  const material = { secret, salt };
  return form === "day" ? dayForm({ clientId, material }) : oneTimeForm({ clientId, material });
}

/** Not in the library: what is new should use another form (docs/protocol.md §1.9). */
function seedForm(clientId: string, secret: string, salt: string): ClientCredential {
  return {
    clientId,
    method: METHODS.seed,
    isDated: true,
    async prove({ now }) {
      const hmac = createHmac("sha1", secret).update(seedHashMessage(formatDate(now), salt));
      return { form: { client_id: clientId, client_secret_hash: hmac.digest("hex") } };
    },
  };
}
