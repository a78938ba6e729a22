/** Files that hold secrets: whole or not at all, and nobody else's to read. */
import { access, constants, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { CliError, EXIT } from "./exit.ts";

/** The file's text, or undefined without one. @throws {CliError} when it cannot be read */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new CliError(EXIT.credential, `${path} cannot be read (${codeOf(cause)})`, { cause });
  }
}

/** Whether someone besides its owner may read or write the file. */
export async function isOpenToOthers(path: string): Promise<boolean> {
  return ((await stat(path)).mode & 0o077) !== 0;
}

/** @throws {CliError} when no file could be written beside `path`: asked before there is something to lose */
export async function requireWritable(path: string): Promise<void> {
  try {
    await access(dirname(path), constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

/**
 * Replaces the file (mode 0600) as a whole, so that whoever reads it has the old text or the new.
 * @throws {CliError}
 */
export async function writePrivate(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  try {
    await rm(draft, { force: true });
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

function cannotWrite(path: string, cause: unknown): CliError {
  return new CliError(EXIT.credential, `${path} cannot be written (${codeOf(cause)})`, { cause });
}

/** Of what the file system refused, such as `ENOENT`. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}
