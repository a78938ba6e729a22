/**
 * The programs of PostgreSQL as processes: apart from this process and its environment, so that
 * neither Ctrl-C nor a PGPORT reaches them.
 */
import { spawn } from "node:child_process";
import { chmod, chown, mkdir, mkdtemp, open, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { PostgresBinaries } from "./postgres-binaries.ts";
import type { Account } from "./postgres-place.ts";
import { type PostmasterFile, readPostmasterFile, serves } from "./postmaster.ts";

export interface Cluster {
  /** Holds `data`, `socket` and `postgres.log`. */
  readonly place: string;
  readonly data: string;
  /** As whom the programs run; undefined: as ourselves. */
  readonly account: Account | undefined;
  readonly binaries: PostgresBinaries;
  readonly settings: Readonly<Record<string, string>>;
}

/** The length of a socket's path, in bytes, without the closing NUL. */
const LONGEST_SOCKET_PATH = process.platform === "darwin" ? 103 : 107;

/** Begins the name of a folder made for a socket whose natural path is too long. */
const SHORT_SOCKET_PREFIX = "daykey-postgres-";

/** A longer log is put aside when the server starts. */
const LONGEST_LOG_BYTES = 5_000_000;

/** The caller's environment (PGPORT, PGDATA, LANG …) must not reach PostgreSQL. */
const ENVIRONMENT = { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };

/** The crash of the last server is not over: its children still end, or another start was faster. */
const PASSING = /pre-existing shared memory block|lock file ".*" already exists/;

/**
 * Starts the server and waits until it accepts connections; undefined when it ended for a reason
 * that passes, or is not ready at `deadline` (of performance.now()).
 *
 * @throws Error with what the server wrote when it ended for another reason
 */
export async function launch(
  cluster: Cluster,
  formerSocketDirectory: string | undefined,
  deadline: number,
): Promise<PostmasterFile | undefined> {
  const socketDirectory = await createSocketDirectory(cluster, formerSocketDirectory);
  const settings = {
    ...cluster.settings,
    unix_socket_directories: `"${socketDirectory.replaceAll('"', '""')}"`,
  };
  const output = await openLog(join(cluster.place, "postgres.log"));
  try {
    const before = (await output.stat()).size;
    // Detached: Ctrl-C must reach the servers only, which still need the database while they drain.
    const server = spawn(
      cluster.binaries.postgres,
      ["-D", cluster.data, ...Object.entries(settings).flatMap(([k, v]) => ["-c", `${k}=${v}`])],
      {
        ...cluster.account,
        cwd: "/",
        env: ENVIRONMENT,
        detached: true,
        stdio: ["ignore", output.fd, output.fd],
      },
    );
    const ended = new Promise<void>((resolve, reject) => {
      server.once("exit", () => resolve());
      server.once("error", reject);
    });
    server.unref();
    const outcome = await untilReady(cluster.data, server.pid, ended, deadline);
    if (outcome !== "ended") return outcome;
    const length = (await output.stat()).size - before;
    const said = (await output.read(Buffer.alloc(length), 0, length, before)).buffer.toString();
    if (PASSING.test(said)) return undefined;
    throw new Error(said);
  } finally {
    await output.close();
  }
}

async function untilReady(
  data: string,
  pid: number | undefined,
  ended: Promise<void>,
  deadline: number,
): Promise<PostmasterFile | "ended" | undefined> {
  const end = ended.then(() => "ended" as const);
  while (performance.now() < deadline) {
    const file = await readPostmasterFile(data);
    if (file?.pid === pid && file?.ready) return file;
    if ((await Promise.race([end, sleep(20)])) === "ended") return "ended";
  }
  return undefined;
}

async function createSocketDirectory(
  { place, account }: Cluster,
  former: string | undefined,
): Promise<string> {
  if (former !== undefined) await removeSocketDirectory(former);
  let directory = join(place, "socket");
  if (Buffer.byteLength(join(directory, ".s.PGSQL.5432")) > LONGEST_SOCKET_PATH) {
    directory = await mkdtemp(join("/tmp", SHORT_SOCKET_PREFIX));
  } else {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }
  await chmod(directory, 0o700);
  if (account !== undefined) await chown(directory, account.uid, account.gid);
  return directory;
}

async function removeSocketDirectory(directory: string): Promise<void> {
  if (!basename(directory).startsWith(SHORT_SOCKET_PREFIX)) return;
  await rm(directory, { recursive: true, force: true });
}

async function openLog(path: string) {
  const size = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (size > LONGEST_LOG_BYTES) await rename(path, `${path}.1`);
  return open(path, "a+", 0o600);
}

/** Within 3 s; an immediate stop loses nothing either: the next start recovers from the log. */
export async function stop(
  { data, account, binaries }: Cluster,
  { pid, socketDirectory }: PostmasterFile,
): Promise<void> {
  const end = async (mode: "fast" | "immediate", seconds: number) => {
    if (!(await serves(pid, data))) return;
    const wait = ["-w", "-t", String(seconds)];
    await run(binaries.pgCtl, ["stop", "-D", data, "-m", mode, ...wait], account);
  };
  await end("fast", 2);
  await end("immediate", 1);
  await removeSocketDirectory(socketDirectory);
}

/** Runs a program of PostgreSQL to its end, with this on its standard input; `output` is all it wrote. */
export function run(
  command: string,
  args: readonly string[],
  account: Account | undefined,
  input = "",
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...account,
      cwd: "/",
      env: ENVIRONMENT,
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    // One that ends without reading it says why by its exit code.
    child.stdin.on("error", () => {}).end(input);
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output: Buffer.concat(chunks).toString() }));
  });
}
