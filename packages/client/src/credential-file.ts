/** From a credential file, as Daykey writes it once for a new client, to a working token source in one call. */
import { readJsonObject } from "@daykey/common/json-numbers";
import { clientSecretBasic } from "./client-secret-basic.ts";
import { clientSecretPost } from "./client-secret-post.ts";
import { type ClientCredential, obtain, type Sourced } from "./credential.ts";
import { dayForm } from "./day-form.ts";
import { DaykeyError } from "./errors.ts";
import { oneTimeForm } from "./one-time-form.ts";
import type { SecretMaterial } from "./secret-material.ts";
import { createTokenSource, type TokenSource, type TokenSourceOptions } from "./token-source.ts";

/** The file's content; other members are passed over. */
export interface CredentialFile {
  issuer: string;
  /** Without it, the issuer's metadata is asked. */
  token_endpoint?: string;
  /** The resource that tokens are for, unless another is asked for. */
  resource?: string;
  client_id: string;
  client_secret: string;
  salt: string;
}

/**
 * The content for a chosen secret: its Argon2id root in place of the secret (docs/protocol.md §1.2), so that
 * no process runs Argon2. It is good for the hash forms, and as secret as the secret.
 */
export interface ChosenCredentialFile extends Omit<CredentialFile, "client_secret"> {
  /** 64 lowercase hex. */
  root: string;
  kid: string;
}

type AnyFile = CredentialFile | ChosenCredentialFile;

/** How the secret is used; the client must be registered for it. */
export type SecretMethod =
  | "client_secret_hash_once"
  | "client_secret_hash_day"
  | "client_secret_basic"
  | "client_secret_post";

export interface CredentialFileOptions extends Pick<
  TokenSourceOptions,
  "resource" | "scope" | "dpop" | "timeoutSeconds" | "allowInsecureRequests" | "platform"
> {
  /** `client_secret_hash_once` by default. */
  method?: SecretMethod;
}

type Secrets = Sourced<SecretMaterial>;

const CREDENTIALS: Record<SecretMethod, (clientId: string, secrets: Secrets) => ClientCredential> =
  {
    client_secret_hash_once: (clientId, material) => oneTimeForm({ clientId, material }),
    client_secret_hash_day: (clientId, material) => dayForm({ clientId, material }),
    client_secret_basic: (clientId, secrets) =>
      clientSecretBasic({ clientId, secret: () => secretIn(secrets) }),
    client_secret_post: (clientId, secrets) =>
      clientSecretPost({ clientId, secret: () => secretIn(secrets) }),
  };

/**
 * `file` is the file's content, as text or parsed, or a function that reads it. A function is asked again
 * for each token request that needs the secret, so a rotated one is taken up; issuer, endpoint and client
 * stay those of the first time.
 * @throws {DaykeyError} `credential` when it cannot be read or is no credential file; `insecure_url`
 */
export async function fromCredentialFile(
  file: Sourced<string | AnyFile>,
  { method = "client_secret_hash_once", ...options }: CredentialFileOptions = {},
): Promise<TokenSource> {
  const first = await read(file);
  const secrets: Secrets = async () => {
    const now = typeof file === "function" ? await read(file) : first;
    if (now.client_id !== first.client_id || now.issuer !== first.issuer) {
      throw new DaykeyError("credential", "The credential file is now another client's");
    }
    const { salt } = now;
    return "root" in now
      ? { root: now.root, kid: now.kid, salt }
      : { secret: now.client_secret, salt };
  };
  return createTokenSource({
    issuer: first.issuer,
    tokenEndpoint: first.token_endpoint,
    resource: first.resource,
    credential: CREDENTIALS[method](first.client_id, secrets),
    ...options,
  });
}

/** What Basic and post send. @throws {DaykeyError} `credential` where only its root is known */
async function secretIn(secrets: Secrets): Promise<string> {
  const material = await obtain(secrets);
  if ("secret" in material) return material.secret;
  throw fault("The credential file is a chosen secret's: it works by the hash forms alone");
}

async function read(source: Sourced<string | AnyFile>): Promise<AnyFile> {
  const content = await obtain(source);
  const file: unknown =
    typeof content === "string" ? readJsonObject(content.replace(/^\uFEFF/, "")) : content;
  if (typeof file !== "object" || file === null)
    throw fault("The credential file is no JSON object");
  const members = file as Record<string, unknown>;
  const secret = "root" in members ? ["root", "kid"] : ["client_secret"];
  for (const name of ["issuer", "client_id", ...secret, "salt"]) {
    if (typeof members[name] !== "string") throw fault(`The credential file has no ${name}`);
  }
  for (const name of ["token_endpoint", "resource"]) {
    const isText = members[name] === undefined || typeof members[name] === "string";
    if (!isText) throw fault(`The credential file's ${name} is not a text`);
  }
  return file as AnyFile;
}

function fault(message: string): DaykeyError {
  return new DaykeyError("credential", message);
}
