/** A signature key: what signs a client's requests to one resource, without any token. */
import { isKeyId } from "@daykey/common/api-key";
import { fromBase64url } from "@daykey/common/bytes";
import { readJsonObject } from "@daykey/common/json-numbers";
import { CLIENT_ID } from "@daykey/common/protocol";
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from "@daykey/common/signed-request";
import { obtain, type Sourced } from "./credential.ts";
import { DaykeyError } from "./errors.ts";
import type { PrivateJwk } from "./private-key-jwt.ts";
import { importSignatureKey, signWith } from "./web-signature.ts";

/** A key file's content, as `daykey signature-keys create --save` writes it; others are passed over. */
export interface SignatureKeyFile {
  key_id: string;
  algorithm: SignatureAlgorithm;
  client_id: string;
  /** The resource whose requests it signs. */
  resource: string;
  /** The bytes of an `hmac-sha256` key, base64url without padding. */
  secret?: string;
  /** The private JWK of an `ed25519` key. */
  private_jwk?: PrivateJwk;
}

/** The key itself stays inside the closure that uses it. */
export interface SignatureKey {
  readonly keyId: string;
  readonly algorithm: SignatureAlgorithm;
  readonly clientId: string;
  readonly resource: string;
  /** The signature of some bytes. */
  sign(data: Uint8Array): Promise<Uint8Array>;
}

/** RFC 2104 §3 discourages keys that are shorter than the hash. */
const MIN_SECRET_BYTES = 32;

/**
 * `file` is the file's content, as text or parsed, or a function that reads it, which is asked once.
 * @throws {DaykeyError} `credential` when it cannot be read or is no key file
 */
export async function readSignatureKey(
  file: Sourced<string | SignatureKeyFile>,
): Promise<SignatureKey> {
  const content = await obtain(file);
  const members: unknown = typeof content === "string" ? readJsonObject(content) : content;
  if (typeof members !== "object" || members === null) throw fault("is no JSON object");
  const given = members as Partial<Record<string, unknown>>;
  const { key_id: keyId, client_id: clientId, resource } = given;
  const algorithm = SIGNATURE_ALGORITHMS.find((name) => name === given["algorithm"]);
  if (typeof keyId !== "string" || !isKeyId(keyId)) throw fault("has no key_id");
  if (typeof clientId !== "string" || !CLIENT_ID.test(clientId)) throw fault("has no client_id");
  if (typeof resource !== "string" || !URL.canParse(resource)) throw fault("has no resource");
  if (!algorithm) throw fault("has no algorithm that is known");
  const key = await importSignatureKey(algorithm, jwkOf(algorithm, given), "sign").catch(() => {
    throw fault("holds no key of its algorithm");
  });
  return {
    keyId,
    algorithm,
    clientId,
    resource,
    sign: (data) => signWith(algorithm, key, data),
  };
}

function jwkOf(
  algorithm: SignatureAlgorithm,
  { secret, private_jwk: jwk }: Partial<Record<string, unknown>>,
): PrivateJwk & { k?: string } {
  if (algorithm === "hmac-sha256") {
    const bytes = typeof secret === "string" ? fromBase64url(secret) : undefined;
    if (!bytes || bytes.length < MIN_SECRET_BYTES) throw fault("has no secret");
    return { kty: "oct", k: secret as string };
  }
  if (typeof jwk !== "object" || jwk === null) throw fault("has no private_jwk");
  return jwk as PrivateJwk;
}

function fault(what: string): DaykeyError {
  return new DaykeyError("credential", `The signature key file ${what}`);
}
