/** Files that hold secrets: whole or not at all, and nobody else's to read. */
import { randomUUID } from "node:crypto";
import {
  type FileHandle,
  open,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
} from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { CliError, EXIT } from "./exit.ts";
import { decodeText } from "./text.ts";

/** The file's text, or undefined without one. @throws {CliError} when it cannot be read */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return decodeText(await readFile(path));
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new CliError(EXIT.credential, `${path} cannot be read (${codeOf(cause)})`, { cause });
  }
}

/** Whether someone besides its owner may read or write the file. */
export async function isOpenToOthers(path: string): Promise<boolean> {
  return ((await stat(path)).mode & 0o077) !== 0;
}

/** A file in the making, its room on the disk taken. */
export interface Draft {
  /** Makes `text` the whole content of the file. @throws {CliError} */
  keep(text: string): Promise<void>;
  /** Leaves the file as it was; nothing after `keep`. */
  drop(): Promise<void>;
}

/** More than any credential or key needs: a full disk shows before there is something to lose. */
const ROOM_BYTES = 16_384;

/**
 * Begins a file (mode 0600) that replaces `path` as a whole: whoever reads it has the old text or the new.
 * Where `path` is a symbolic link, the file it leads to is replaced.
 * @throws {CliError} when it could not be written
 */
export async function draftPrivate(path: string): Promise<Draft> {
  let target = path;
  let draft = "";
  let file: FileHandle | undefined;
  async function drop(): Promise<void> {
    if (!file) return;
    await file.close().catch(() => {});
    file = undefined;
    await rm(draft, { force: true }).catch(() => {});
  }
  try {
    target = await targetOf(path);
    // Nobody else's, however many write at once.
    draft = `${target}.${randomUUID()}.new`;
    file = await open(draft, "wx", 0o600);
    await file.writeFile(Buffer.alloc(ROOM_BYTES, " "));
    await file.sync();
  } catch (cause) {
    await drop();
    throw cannotWrite(path, cause);
  }
  return {
    drop,
    async keep(text) {
      if (!file) throw new TypeError("the draft is gone");
      try {
        const bytes = Buffer.from(text);
        await file.write(bytes, 0, bytes.length, 0);
        await file.truncate(bytes.length);
        await file.sync();
        await file.close();
        file = undefined;
        await rename(draft, target);
      } catch (cause) {
        await drop();
        await rm(draft, { force: true }).catch(() => {});
        throw cannotWrite(path, cause);
      }
    },
  };
}

/** Replaces the file as a whole, as `draftPrivate` does. @throws {CliError} */
export async function writePrivate(path: string, text: string): Promise<void> {
  const draft = await draftPrivate(path);
  await draft.keep(text);
}

/** Where a link leads, also while nothing is there yet. */
async function targetOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    const link = await readlink(path).catch(() => undefined);
    return link === undefined ? path : resolve(dirname(path), link);
  }
}

const REMEDIES: Record<string, (path: string) => string> = {
  EACCES: (path) =>
    `You may not write in ${dirname(path)}: change its mode or owner, or choose another place.`,
  EPERM: (path) =>
    `You may not write in ${dirname(path)}: change its mode or owner, or choose another place.`,
  EROFS: (path) => `${dirname(path)} is on a file system that is read-only: choose another place.`,
  ENOSPC: () => "The disk is full: make room, or choose another place.",
  EDQUOT: () => "Your share of the disk is used up: make room, or choose another place.",
  ENOENT: (path) => `There is no folder ${dirname(path)}: make it, or choose another place.`,
  ENOTDIR: (path) => `${dirname(path)} is not a folder: choose another place.`,
  EISDIR: (path) => `${path} is a folder: name a file.`,
};

/** Why a file cannot be written, and what to do about it. */
export function cannotWrite(path: string, cause: unknown): CliError {
  const code = codeOf(cause);
  const hint = REMEDIES[code]?.(path);
  return new CliError(EXIT.credential, `${path} cannot be written (${code})`, { cause, hint });
}

/** The code of an error of the file system, such as `ENOENT`. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}
