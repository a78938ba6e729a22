/** What the hash of a client secret is made of (docs/protocol.md §1.1), checked before it is used. */
import { hasChecksum, isKid, isSalt, kidOfSecret } from "@daykey/common/secret-hash";
import { obtain, type Sourced } from "./credential.ts";
import { DaykeyError } from "./errors.ts";
import { webHash } from "./web-hash.ts";

/**
 * A generated secret with its salt. Or, of a chosen secret, the root: the 64 hex of its Argon2id,
 * which WebCrypto cannot compute (docs/protocol.md §1.2 has the parameters).
 */
export type SecretMaterial =
  | { readonly secret: string; readonly salt: string }
  | { readonly root: string; readonly kid: string; readonly salt: string };

export interface CheckedMaterial {
  root: string;
  kid: string;
  salt: string;
}

const ROOT = /^[0-9a-f]{64}$/;

/** @throws {DaykeyError} `credential` */
export async function obtainMaterial(source: Sourced<SecretMaterial>): Promise<CheckedMaterial> {
  const material = await obtain(source);
  const { salt } = material;
  if (typeof salt !== "string" || !isSalt(salt)) throw fault("The salt is not 32 lowercase hex");
  if ("secret" in material) {
    return { root: material.secret, kid: await kidOf(material.secret), salt };
  }
  const { root, kid } = material;
  if (!ROOT.test(root) || !isKid(kid)) throw fault("The root or its kid has not the right form");
  return { root, kid, salt };
}

/**
 * The kid of a generated secret.
 * @throws {DaykeyError} `credential` when it is none, or its checksum tells of a typing mistake
 */
export async function kidOf(secret: string): Promise<string> {
  const kid = kidOfSecret(secret);
  if (kid === undefined) throw fault("The client secret has not the form of a generated one");
  if (!(await hasChecksum(webHash, secret))) {
    throw fault("The client secret's checksum is wrong: was it cut or typed?");
  }
  return kid;
}

function fault(message: string): DaykeyError {
  return new DaykeyError("credential", message);
}
