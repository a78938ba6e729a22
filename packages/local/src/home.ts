/** The folder of `npm start`: made, checked, and its master key in it. */
import {
  access,
  chmod,
  constants,
  link,
  mkdir,
  readFile,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { generateMasterKey } from "@daykey/auth-server/keys/master-key";
import { LocalError } from "./local-error.ts";

export interface Home {
  path: string;
  postgres: string;
  masterKeyFile: string;
  /** The password of PostgreSQL, where root starts it. */
  passwordFile: string;
  adminFile: string;
  demoFile: string;
  resourceServerFile: string;
  /** The log of a server, by its name. */
  logFile(server: string): string;
}

/** @throws {LocalError} when the folder cannot be made or written, or lost its master key */
export async function openHome(folder: string): Promise<Home> {
  const path = resolve(folder);
  try {
    // Entered by the user PostgreSQL runs as; what is secret in it is 0600.
    await makeFolder(path);
    await access(path, constants.W_OK | constants.X_OK);
    await chmod(path, 0o711);
  } catch (cause) {
    throw new LocalError(`The folder ${path} cannot be written; set DAYKEY_HOME to one that can.`, {
      cause,
    });
  }
  const masterKeyFile = join(path, "master-key");
  const postgres = join(path, "postgres");
  await ensureMasterKey(masterKeyFile, postgres);
  return {
    path,
    postgres,
    masterKeyFile,
    passwordFile: join(path, "postgres-password"),
    adminFile: join(path, "admin-client.json"),
    demoFile: join(path, "demo-client.json"),
    resourceServerFile: join(path, "resource-server-client.json"),
    logFile: (server) => join(path, `${server}.log`),
  };
}

/**
 * Gives a file another name beside it: the first of `.old`, `.old-2`, … that nothing has, so no earlier one
 * is lost. Resolves with its path; undefined when there is no such file.
 */
export async function moveAside(file: string): Promise<string | undefined> {
  for (let n = 1; ; n++) {
    const aside = n === 1 ? `${file}.old` : `${file}.old-${n}`;
    try {
      // Unlike a rename, a link never takes the place of another file.
      await link(file, aside);
      await rm(file);
      return aside;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return undefined;
      if (code !== "EEXIST") throw error;
    }
  }
}

/** Like mkdir's `recursive`, which never ends where a parent exists and refuses children, as /proc does. */
async function makeFolder(path: string): Promise<void> {
  if (await isFolder(path)) return;
  const parent = dirname(path);
  if (parent !== path) await makeFolder(parent);
  await mkdir(path);
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ?? false;
}

/**
 * Makes the master key for a new home. One that a database was made with cannot be made again: what it
 * sealed is lost without it.
 */
async function ensureMasterKey(file: string, postgres: string): Promise<void> {
  const found = await readFile(file, "utf8").catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return undefined;
  });
  if (found !== undefined && found.trim() !== "") return;
  if (await hasDatabase(postgres)) {
    throw new LocalError(
      `The master key ${file} is lost, and the database in ${postgres} cannot be used without it. Put the file back, or remove ${dirname(file)} to begin anew.`,
    );
  }
  // When two first starts run at once, one of them makes it, whole or not at all.
  const made = `${file}.${process.pid}`;
  await writeFile(made, `${generateMasterKey()}\n`, { mode: 0o600 });
  if (found !== undefined) await rm(file, { force: true });
  await link(made, file).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  });
  await rm(made);
}

/** Root's database may stand elsewhere: then a link says where. */
async function hasDatabase(postgres: string): Promise<boolean> {
  const places = [join(postgres, "data"), join(postgres, "moved-to", "data")];
  return (await Promise.all(places.map(isFolder))).includes(true);
}
