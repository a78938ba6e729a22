import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, readlink, realpath, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { createSystemDirectory, SYSTEM_DIRECTORY } from "./postgres-binaries.ts";
import { killPostmaster } from "./postmaster.ts";

/** The user that runs PostgreSQL in place of root, as which it refuses to run. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** undefined for an ordinary user, who runs PostgreSQL as itself. */
export function serverAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  if (process.platform !== "linux") {
    throw new EmbeddedPostgresError("PostgreSQL does not run as root: start as an ordinary user.");
  }
  return { uid: 65534, gid: 65534 };
}

/**
 * The folder that really holds the cluster of `directory`: itself, or, when root's clone stands
 * where the server's own user cannot reach it, one under /var/lib to which `moved-to` points.
 */
export async function findPlace(
  directory: string,
  account: Account | undefined,
  log: (line: string) => void,
): Promise<string> {
  await mkdir(directory, { recursive: true, mode: account === undefined ? 0o700 : 0o711 });
  const place = await realpath(directory);
  if (account === undefined) return place;

  const pointer = join(place, "moved-to");
  const moved = await readlink(pointer).catch(() => undefined);
  if (moved !== undefined && (await exists(moved))) return moved;
  await chmod(place, 0o711);
  if (canSearch(place, account)) return place;
  if (await exists(join(place, "data"))) {
    throw new EmbeddedPostgresError(
      `The database in ${place} runs as user id ${account.uid}, which cannot reach that folder any more.`,
    );
  }

  await createSystemDirectory();
  const name = createHash("sha256").update(place).digest("hex").slice(0, 16);
  const elsewhere = join(SYSTEM_DIRECTORY, name);
  // A database without its pointer belongs to a folder of this name that was deleted.
  await killPostmaster(join(elsewhere, "data"));
  await rm(elsewhere, { recursive: true, force: true });
  await mkdir(elsewhere);
  await chmod(elsewhere, 0o711);
  await rm(pointer, { force: true });
  await symlink(elsewhere, pointer);
  log(`user id ${account.uid}, which runs PostgreSQL, cannot reach ${place}: using ${elsewhere}`);
  return elsewhere;
}

function canSearch(place: string, account: Account): boolean {
  return spawnSync("/bin/sh", ["-c", 'test -x "$0"', place], { ...account, cwd: "/" }).status === 0;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
