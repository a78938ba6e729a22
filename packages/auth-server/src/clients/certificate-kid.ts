import { createHash } from "node:crypto";
import type { CertificateName } from "./client.ts";

/** No kid of a key or a secret begins so by chance. */
const PREFIX = "tls_client_auth:";

/** Stands for a kid in what a certificate of this name opens: another name is another credential. */
export function kidOfName({ name, value }: CertificateName): string {
  const digest = createHash("sha256").update(`${name}\n${value}`).digest("base64url");
  return `${PREFIX}${digest.slice(0, 16)}`;
}

export function isKidOfName(kid: string): boolean {
  return kid.startsWith(PREFIX);
}
