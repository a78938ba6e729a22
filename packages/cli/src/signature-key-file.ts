/** The file of a signature key: what signs requests without any token. */
import { resolve } from "node:path";
import { readSignatureKey, type SignatureKey } from "@daykey/client/signature-key";
import { CliError, EXIT } from "./exit.ts";
import { readIfThere } from "./private-file.ts";

/** @throws {CliError} when it cannot be read; {DaykeyError} `credential` when it holds no key */
export async function readKeyFile(path: string): Promise<SignatureKey> {
  const text = await readIfThere(path);
  if (text === undefined) throw new CliError(EXIT.credential, `${resolve(path)} is not there`);
  return readSignatureKey(text);
}
