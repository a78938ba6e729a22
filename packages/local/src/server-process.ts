/** One of the two servers as a process of its own, its output in a log file. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { LocalError } from "./local-error.ts";

export interface ServerProcess {
  /** Resolves when the process has ended, for whatever reason. */
  ended: Promise<void>;
  /** Lets it finish what it has begun. */
  stop(): Promise<void>;
  /** Ends it at once, as a crash would. */
  kill(): void;
}

/** It halves a server's start. In a folder of ours: who can write the cache runs code. */
const COMPILE_CACHE = fileURLToPath(new URL("../node_modules/.cache/", import.meta.url));

/** A slow or busy machine takes long over a first start; a server that cannot start ends by itself. */
const READY_SECONDS = 120;

/**
 * Starts `main` and waits until its private listener says it is ready, or only live. The IPC channel
 * ties its life to ours: when this process dies, however it dies, the server drains and ends.
 * @throws {LocalError} with what it wrote last, when it does not become so
 */
export async function startServerProcess({
  name,
  main,
  env,
  privatePort,
  until = "ready",
  logFile,
}: {
  name: string;
  main: URL;
  env: Record<string, string>;
  privatePort: number;
  until?: "ready" | "live" | undefined;
  logFile: string;
}): Promise<ServerProcess> {
  const output = await open(logFile, "w", 0o600);
  const child = spawn(process.execPath, [fileURLToPath(main)], {
    env: {
      PATH: process.env["PATH"],
      NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? COMPILE_CACHE,
      WORKERS: "1",
      STOP_DELAY_SECONDS: "0",
      ...env,
    },
    stdio: ["ignore", output.fd, output.fd, "ipc"],
  });
  await output.close();
  const ended = once(child, "exit").then(() => undefined);
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
  };
  if (await becomesSo(child, `http://127.0.0.1:${privatePort}/${until}z`)) {
    return { ended, stop, kill: () => void child.kill("SIGKILL") };
  }
  const hasEnded = child.exitCode !== null || child.signalCode !== null;
  await stop();
  const why = hasEnded
    ? `ended with ${child.signalCode ?? `exit code ${child.exitCode}`}`
    : `was not ${until} within ${READY_SECONDS} s`;
  const said = (await readFile(logFile, "utf8")).trim().split("\n").slice(-5).join("\n");
  const last = said === "" ? "it wrote nothing" : `the last that it wrote:\n${said}`;
  throw new LocalError(`The ${name} did not start: it ${why}; ${last}\nIts log is ${logFile}.`);
}

async function becomesSo(child: ChildProcess, url: string): Promise<boolean> {
  const deadline = performance.now() + READY_SECONDS * 1000;
  while (child.exitCode === null && child.signalCode === null && performance.now() < deadline) {
    const isReady = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (isReady) return true;
    await sleep(50);
  }
  return false;
}
