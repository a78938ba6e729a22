import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { codeOf } from "./embedded-postgres-error.ts";

/** What a running PostgreSQL writes about itself into `postmaster.pid` of its data directory. */
export interface PostmasterFile {
  readonly pid: number;
  readonly socketDirectory: string;
  /** Connections are accepted; otherwise it is starting, recovering or stopping. */
  readonly ready: boolean;
}

/** Larger than any process id of Linux or macOS. */
const NO_PROCESS = 2_147_483_647;

const PORT = 5432;

/** undefined when there is none; one half written reads as not ready. */
export async function readPostmasterFile(data: string): Promise<PostmasterFile | undefined> {
  const text = await readFile(join(data, "postmaster.pid"), "utf8").catch(() => "");
  const [pid, , , , socketDirectory = "", , , status = ""] = text.split("\n");
  if (!Number(pid)) return undefined;
  return { pid: Number(pid), socketDirectory, ready: status.trim() === "ready" };
}

/** Whether a process has this id, whoever owns it; also one that ended and that nobody buried. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

/**
 * Whether this process is the PostgreSQL of this data directory, and not one that was given the
 * same id after a crash. When the system does not tell, the answer is yes: the safe one.
 */
export async function serves(pid: number, data: string): Promise<boolean> {
  if (!isRunning(pid)) return false;
  try {
    const commandLine =
      process.platform === "linux"
        ? await readFile(`/proc/${pid}/cmdline`, "utf8")
        : (await promisify(execFile)("ps", ["-ww", "-o", "command=", "-p", String(pid)])).stdout;
    return commandLine.replaceAll("\0", " ").includes(`-D ${data} -c `);
  } catch {
    return isRunning(pid);
  }
}

/**
 * Makes the traces of a PostgreSQL that was killed harmless: it would refuse to start when another
 * process of this user has got the old process id. The file itself stays, because it also names
 * the shared memory by which PostgreSQL sees children of the killed one that still run.
 */
export async function forgetKilledPostmaster(data: string, file: PostmasterFile): Promise<void> {
  // PostgreSQL itself sees that no process has this id.
  if (!isRunning(file.pid)) return;
  const path = join(data, "postmaster.pid");
  const [, ...rest] = (await readFile(path, "utf8")).split("\n");
  await writeFile(path, [NO_PROCESS, ...rest].join("\n"));
  const socket = join(file.socketDirectory, `.s.PGSQL.${PORT}`);
  if (file.socketDirectory !== "") {
    await rm(socket, { force: true });
    await rm(`${socket}.lock`, { force: true });
  }
}

/** Ends the PostgreSQL of a data directory that is about to be removed. */
export async function killPostmaster(data: string): Promise<void> {
  const file = await readPostmasterFile(data);
  if (file === undefined || !(await serves(file.pid, data))) return;
  process.kill(file.pid, "SIGQUIT");
  while (await serves(file.pid, data)) await sleep(20);
}
