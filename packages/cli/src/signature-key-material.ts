/**
 * What a signature key is made of: the server's random bytes, bytes that both sides have already, or a
 * key pair. A pair is made here, and only its public half is sent.
 */
import { generateKeyPairSync } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { SignatureAlgorithm } from "@daykey/common/signed-request";
import { usageError } from "./exit.ts";
import { codeOf } from "./private-file.ts";
import { readPublicJwk } from "./public-keys.ts";

export interface MaterialOptions {
  jwkFile?: string | undefined;
  secretFile?: string | undefined;
  /** The key file that is asked for. */
  save?: string | undefined;
}

/** What is sent, and the half that the server does not get. */
export interface SignatureKeyMaterial {
  body: object;
  /** Members of the key file. */
  kept: { secret?: string; private_jwk?: object };
}

/** @throws {CliError} */
export async function signatureKeyMaterial(
  algorithm: SignatureAlgorithm,
  { jwkFile, secretFile, save }: MaterialOptions,
): Promise<SignatureKeyMaterial> {
  if (algorithm === "hmac-sha256") {
    if (jwkFile !== undefined) throw usageError("--jwk-file is for ed25519");
    if (secretFile === undefined) return { body: {}, kept: {} };
    const secret = (await bytesOf(secretFile)).toString("base64url");
    return { body: { secret }, kept: { secret } };
  }
  if (secretFile !== undefined) throw usageError("--secret-file is for hmac-sha256");
  if (jwkFile !== undefined && save !== undefined) {
    throw usageError("--save writes the half that signs, which --jwk-file does not bring");
  }
  if (jwkFile !== undefined) return { body: { jwk: await readPublicJwk(jwkFile) }, kept: {} };
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return {
    body: { jwk: publicKey.export({ format: "jwk" }) },
    kept: { private_jwk: privateKey.export({ format: "jwk" }) },
  };
}

async function bytesOf(file: string): Promise<Buffer> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw usageError(`${file} cannot be read (${codeOf(error)})`);
  });
  if (bytes.length >= 32 && bytes.length <= 128) return bytes;
  throw usageError(`${file} has ${bytes.length} bytes; a key has 32 to 128`);
}
