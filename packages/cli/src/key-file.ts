/** An access key is handed over once: printed, or saved for its client in a file of mode 0600. */
import { type Cli, hint } from "./cli.ts";
import { CliError, EXIT } from "./exit.ts";
import { readIfThere, requireWritable, writePrivate } from "./private-file.ts";

/**
 * Refuses, before anything is asked of the server, a file that could not be written or is not to be
 * lost: only that of the key which is replaced is.
 * @throws {CliError}
 */
export async function checkKeyFile(
  path: string | undefined,
  replacedId: string | undefined,
): Promise<void> {
  if (path === undefined) return;
  await requireWritable(path);
  const text = await readIfThere(path);
  if (text === undefined || (replacedId !== undefined && text.includes(replacedId))) return;
  throw new CliError(EXIT.credential, `${path} is there already; it is left alone`);
}

/**
 * Saves the key's text and tells where; or prints it, also when it could not be saved after all.
 * @throws {CliError} when it could not be saved
 */
export async function handOverKey(cli: Cli, text: string, path: string | undefined): Promise<void> {
  if (path === undefined) {
    cli.terminal.print(text);
    return hint(cli, "The key is shown this once: keep it now.");
  }
  try {
    await writePrivate(path, text);
  } catch (error) {
    cli.terminal.print(text);
    throw error;
  }
  hint(cli, `The key is in ${path}, readable by you alone.`);
}
