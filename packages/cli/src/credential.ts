/** A credential: who the client is, its secret, and where its servers are. One file's content. */
import { createHmac } from "node:crypto";
import { resolve } from "node:path";
import { clientSecretBasic } from "@daykey/client/client-secret-basic";
import { clientSecretPost } from "@daykey/client/client-secret-post";
import type { ClientCredential } from "@daykey/client/credential";
import { dayForm } from "@daykey/client/day-form";
import { oneTimeForm } from "@daykey/client/one-time-form";
import { formatDate } from "@daykey/common/clock";
import { readJsonObject } from "@daykey/common/json-numbers";
import { seedHashMessage } from "@daykey/common/secret-hash";
import { CliError, EXIT } from "./exit.ts";
import { readIfThere } from "./private-file.ts";

/** As the auth-server and `--save` write it. */
export interface Credential {
  issuer: string;
  token_endpoint?: string;
  /** The resource that tokens are for, unless another is asked for. */
  resource?: string;
  client_id: string;
  client_secret: string;
  salt: string;
  /** The auth-server's private listener. */
  admin_url?: string;
}

const REQUIRED = ["issuer", "client_id", "client_secret", "salt"] as const;
const OPTIONAL = ["token_endpoint", "resource", "admin_url"] as const;

export const FORMS = ["once", "day", "seed", "basic", "post"] as const;
/** How the secret is shown to the server. */
export type Form = (typeof FORMS)[number];

/** The method's registered name of each form, and of a client's own key. */
export const METHODS: Record<Form | "key", string> = {
  once: "client_secret_hash_once",
  day: "client_secret_hash_day",
  seed: "client_secret_hash_seed",
  basic: "client_secret_basic",
  post: "client_secret_post",
  key: "private_key_jwt",
};

/** @throws {CliError} */
export async function readCredentialFile(path: string): Promise<Credential> {
  const text = await readIfThere(path);
  if (text === undefined) throw new CliError(EXIT.credential, `${resolve(path)} is not there`);
  return parseCredential(text, path);
}

/** The known members alone. @param place what is named when it is none @throws {CliError} */
export function parseCredential(text: string, place: string): Credential {
  const members = readJsonObject(text);
  if (!members) throw new CliError(EXIT.credential, `${place} is not a credential: no JSON object`);
  const credential: Record<string, string> = {};
  for (const name of [...REQUIRED, ...OPTIONAL]) {
    const value = members[name];
    if (typeof value === "string") credential[name] = value;
    else if (value !== undefined || REQUIRED.some((required) => required === name)) {
      throw new CliError(EXIT.credential, `${place} is not a credential: it has no ${name}`);
    }
  }
  return credential as unknown as Credential;
}

/** How this client proves itself in a form. @throws {DaykeyError} `credential` */
export function proofBy(form: Form, credential: Credential): ClientCredential {
  const { client_id: clientId, client_secret: secret, salt } = credential;
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
