/** A credential: who the client is, its secret, and where its servers are. One file's content. */
import { resolve } from "node:path";
import { readJsonObject } from "@daykey/common/json-numbers";
import { CliError, EXIT } from "./exit.ts";
import { readIfThere } from "./private-file.ts";

/** As the auth-server and `--save` write it. */
export interface Credential {
  issuer: string;
  token_endpoint?: string;
  /** The resource that tokens are for, unless another is asked for. */
  resource?: string;
  client_id: string;
  client_secret?: string;
  /** In place of a secret and its salt: a certificate and its key, in PEM (RFC 8705). */
  certificate_file?: string;
  key_file?: string;
  /** In place of a chosen secret: the hex of its Argon2id, with its kid. */
  root?: string;
  kid?: string;
  /** Empty where there is no secret. */
  salt: string;
  /** The auth-server's private listener. */
  admin_url?: string;
}

const REQUIRED = ["issuer", "client_id", "salt"] as const;
const CERTIFICATE = ["certificate_file", "key_file"] as const;
const OPTIONAL = [
  "client_secret",
  "root",
  "kid",
  "token_endpoint",
  "resource",
  "admin_url",
] as const;

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
  const isByCertificate = CERTIFICATE.every((name) => typeof members[name] === "string");
  const credential: Record<string, string> = isByCertificate ? { salt: "" } : {};
  for (const name of [...REQUIRED, ...OPTIONAL, ...CERTIFICATE]) {
    const value = members[name];
    if (typeof value === "string") credential[name] = value;
    else if (name === "salt" && value === undefined && isByCertificate) continue;
    else if (value !== undefined || REQUIRED.some((required) => required === name)) {
      throw new CliError(EXIT.credential, `${place} is not a credential: it has no ${name}`);
    }
  }
  const hasRoot = credential["root"] !== undefined && credential["kid"] !== undefined;
  if (credential["client_secret"] === undefined && !hasRoot && !isByCertificate) {
    throw new CliError(EXIT.credential, `${place} is not a credential: it has no client_secret`);
  }
  return credential as unknown as Credential;
}
