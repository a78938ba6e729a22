/** A new secret is handed over once: printed, or saved as a credential file that SDK and CLI take as it is. */
import { PATHS } from "@daykey/common/protocol";
import type { NewSecret } from "./admin-api.ts";
import { type Cli, hint } from "./cli.ts";
import { type Credential, parseCredential } from "./credential.ts";
import { CliError, EXIT } from "./exit.ts";
import { facts, json } from "./output.ts";
import { readIfThere, requireWritable, writePrivate } from "./private-file.ts";
import { localAndRelative } from "./times.ts";

/**
 * Refuses, before anything is asked of the server, a file that could not be written or is not to be
 * lost: only a credential of the same client is replaced.
 * @throws {CliError}
 */
export async function checkSave(
  path: string | undefined,
  { issuer, clientId }: { issuer: string; clientId: string | undefined },
): Promise<void> {
  if (path === undefined) return;
  await requireWritable(path);
  const text = await readIfThere(path);
  if (text === undefined) return;
  const present = parseCredential(text, path);
  if (present.client_id === clientId && present.issuer === issuer) return;
  throw new CliError(EXIT.credential, `${path} is another client's credential; it is left alone`);
}

/**
 * Prints the secret, or saves it and tells where; a file that cannot be written after all does not lose
 * it. Resolves with what --json may show.
 * @throws {CliError} when it could not be saved
 */
export async function handOver(
  cli: Cli,
  secret: NewSecret,
  { path, issuer, resource }: { path: string | undefined; issuer: string; resource: string },
): Promise<NewSecret> {
  const isJson = cli.globals().json === true;
  const { client_secret, ...shown } = secret;
  if (path === undefined || client_secret === undefined) {
    if (!isJson) printSecret(cli, secret);
    return secret;
  }
  const credential: Credential = {
    issuer,
    token_endpoint: `${issuer}${PATHS.token}`,
    resource,
    client_id: secret.client_id,
    client_secret,
    salt: secret.salt,
  };
  try {
    await writePrivate(path, `${JSON.stringify(credential, null, 2)}\n`);
  } catch (error) {
    if (isJson) cli.terminal.print(json(secret));
    else printSecret(cli, secret);
    throw error;
  }
  hint(cli, `The secret is in ${path}, readable by you alone.`);
  return shown;
}

function printSecret(cli: Cli, secret: NewSecret): void {
  const { client_id, kid, client_secret, salt, expires_at } = secret;
  cli.terminal.print(
    facts([
      ["client_id", client_id],
      ["kid", kid],
      ["client_secret", client_secret],
      ["salt", salt],
      ["ends", localAndRelative(expires_at, cli.clock())],
    ]),
  );
  if (client_secret !== undefined) hint(cli, "The secret is shown this once: keep it now.");
}
