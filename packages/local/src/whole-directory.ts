import { mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { codeOf } from "./embedded-postgres-error.ts";
import { isRunning } from "./postmaster.ts";

/**
 * Builds a directory beside its place and renames it there, so that `target` is either whole or
 * absent, even after kill -9. Of two builders at once the first wins and the other's work is
 * thrown away. What killed builders left behind is removed.
 */
export async function createWholeDirectory(
  target: string,
  build: (directory: string) => Promise<void>,
): Promise<void> {
  await removeAbandoned(target);
  const directory = await mkdtemp(`${target}.building-${process.pid}-`);
  try {
    await build(directory);
    await rename(directory, target).catch((error: unknown) => {
      if (!["ENOTEMPTY", "EEXIST"].includes(codeOf(error))) throw error;
    });
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function removeAbandoned(target: string): Promise<void> {
  const parent = dirname(target);
  const prefix = `${basename(target)}.building-`;
  for (const name of await readdir(parent)) {
    if (!name.startsWith(prefix) || isRunning(Number.parseInt(name.slice(prefix.length), 10))) {
      continue;
    }
    // The builder's child may still be writing; what stays then is removed by the next start.
    await rm(join(parent, name), { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
  }
}
