/** A client of the shared vectors, as its credential file and as a credential. */
import type { CredentialFile } from "../src/credential-file.ts";
import vectors from "../../common/vectors/secret-hash.json" with { type: "json" };

export const { client } = vectors;

export function credentialFile(url: string): CredentialFile {
  const { client_id, client_secret, salt } = client;
  const resource = "https://api.example.com";
  return {
    issuer: url,
    token_endpoint: `${url}/oauth2/token`,
    resource,
    client_id,
    client_secret,
    salt,
  };
}
