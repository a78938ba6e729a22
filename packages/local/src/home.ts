/** The folder of `npm start`: made, checked, and its master key in it. */
import { access, chmod, constants, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { generateMasterKey } from "@daykey/auth-server/keys/master-key";
import { LocalError } from "./local-error.ts";

export interface Home {
  path: string;
  postgres: string;
  masterKeyFile: string;
  adminFile: string;
  demoFile: string;
  resourceServerFile: string;
  /** Of a server, by name. */
  logFile(server: string): string;
}

/** @throws {LocalError} when the folder cannot be made or written */
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
  try {
    await writeFile(masterKeyFile, `${generateMasterKey()}\n`, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    await fillEmptyMasterKey(masterKeyFile);
  }
  return {
    path,
    postgres: join(path, "postgres"),
    masterKeyFile,
    adminFile: join(path, "admin-client.json"),
    demoFile: join(path, "demo-client.json"),
    resourceServerFile: join(path, "resource-server-client.json"),
    logFile: (server) => join(path, `${server}.log`),
  };
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

/** A start killed between making the file and filling it; nothing was sealed with it yet. */
async function fillEmptyMasterKey(file: string): Promise<void> {
  const content = await readFile(file, "utf8");
  if (content === "") await writeFile(file, `${generateMasterKey()}\n`);
}
