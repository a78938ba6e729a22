import { chmod, constants, cp, mkdir, readdir, readFile, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { codeOf, EmbeddedPostgresError, explainFailure } from "./embedded-postgres-error.ts";
import { createWholeDirectory } from "./whole-directory.ts";

export interface PostgresBinaries {
  readonly initdb: string;
  readonly pgCtl: string;
  readonly postgres: string;
}

/** Where root keeps what the database's own user must read but must not be able to change. */
export const SYSTEM_DIRECTORY = "/var/lib/daykey";

/**
 * The PostgreSQL of this platform's npm package. An ordinary user runs it in place. Root runs it
 * as another user, who may not reach `node_modules`, from a copy that only root can write.
 */
export async function postgresBinaries(asRoot: boolean): Promise<PostgresBinaries> {
  const packageRoot = locatePackage();
  if (!asRoot) {
    await linkLibraries(packageRoot);
    return binariesIn(join(packageRoot, "native"));
  }
  await createSystemDirectory();
  const description = await readFile(join(packageRoot, "package.json"), "utf8");
  const { name, version } = JSON.parse(description) as { name: string; version: string };
  const copy = join(SYSTEM_DIRECTORY, `postgres-${basename(name)}-${version}`);
  if ((await stat(copy).catch(() => undefined)) === undefined) {
    await createWholeDirectory(copy, async (directory) => {
      const native = join(directory, "native");
      await cp(join(packageRoot, "native"), native, {
        recursive: true,
        mode: constants.COPYFILE_FICLONE,
      });
      await linkLibraries(directory);
      await openForReading(directory);
    });
  }
  return binariesIn(join(copy, "native"));
}

/** Root-owned and not writable by others, or nothing in it can be trusted. */
export async function createSystemDirectory(): Promise<void> {
  await mkdir(SYSTEM_DIRECTORY, { recursive: true });
  const { uid, mode } = await stat(SYSTEM_DIRECTORY);
  if (uid !== 0 || (mode & 0o022) !== 0) {
    throw new EmbeddedPostgresError(
      `${SYSTEM_DIRECTORY} must belong to root and be writable by nobody else.`,
    );
  }
  await chmod(SYSTEM_DIRECTORY, 0o755);
}

function locatePackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    throw new EmbeddedPostgresError(
      `The embedded PostgreSQL for this platform (${name}) is not installed.`,
      { cause },
    );
  }
}

/** npm packages hold no symbolic links; the package lists those its libraries need. */
async function linkLibraries(packageRoot: string): Promise<void> {
  const list = await readFile(join(packageRoot, "native", "pg-symlinks.json"), "utf8");
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    await symlink(relative(dirname(target), source), join(packageRoot, target)).catch(
      (error: unknown) => {
        if (codeOf(error) !== "EEXIST") throw explainFailure(error, join(packageRoot, "native"));
      },
    );
  }
}

/** Readable by every user, whatever umask it was installed and copied under. */
async function openForReading(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const executable = entry.isDirectory() || basename(entry.parentPath) === "bin";
    await chmod(join(entry.parentPath, entry.name), executable ? 0o755 : 0o644);
  }
}

function binariesIn(native: string): PostgresBinaries {
  const bin = (name: string) => join(native, "bin", name);
  return { initdb: bin("initdb"), pgCtl: bin("pg_ctl"), postgres: bin("postgres") };
}
