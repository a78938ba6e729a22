/**
 * The opaque form of an access token (docs/protocol.md §2): `dka1.<key id>.<base64url of iv(12) ‖
 * ciphertext ‖ tag(16)>`, AES-256-GCM over the same claims as a JWT's, with the issuer and all before
 * the last dot as associated data. Only this server reads it; a resource-server asks by introspection.
 */
import type { AccessTokenClaims } from "@daykey/common/access-token";
import { MAX_ACCESS_TOKEN_LENGTH } from "@daykey/common/protocol";
import type { SymmetricKey } from "../keys/symmetric-keys.ts";

const PATTERN = /^(dka1\.([a-z0-9]{8}))\.([A-Za-z0-9_-]+)$/;

export function formatOpaqueToken(
  claims: AccessTokenClaims,
  key: SymmetricKey,
  issuer: string,
): string {
  const head = `dka1.${key.kid}`;
  const sealed = key.seal(Buffer.from(JSON.stringify(claims)), `${issuer}\n${head}`);
  return `${head}.${sealed.toString("base64url")}`;
}

/** The payload of a genuine opaque token: its claims as JSON. Otherwise undefined. */
export function openOpaqueToken(
  text: string,
  keyOf: (kid: string) => SymmetricKey | undefined,
  issuer: string,
): Buffer | undefined {
  if (text.length > MAX_ACCESS_TOKEN_LENGTH) return undefined;
  const [, head = "", kid = "", sealedText = ""] = PATTERN.exec(text) ?? [];
  const sealed = Buffer.from(sealedText, "base64url");
  if (sealed.length === 0 || sealed.toString("base64url") !== sealedText) return undefined;
  return keyOf(kid)?.open(sealed, `${issuer}\n${head}`);
}
