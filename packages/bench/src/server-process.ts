/** A server under measurement: a process of its own, on the server's core, that tells its CPU time. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ServerCore } from "./cores.ts";

export interface Usage {
  cpuMicroseconds: number;
  rssBytes: number;
}

export interface ServerProcess {
  name: string;
  port: number;
  /** From the start of the process to its first good answer. */
  startSeconds: number;
  usage(): Promise<Usage>;
  stop(): Promise<void>;
}

const READY_SECONDS = 60;
const PROBE = new URL("../peers/probe.mjs", import.meta.url).href;

/** Everything that runs; stopped together, also when a measurement fails. */
const running = new Set<ChildProcess>();

/**
 * Starts a program and waits until `readyUrl` is answered with success. Its log lines go nowhere, which
 * costs it what writing them costs.
 */
export async function startServer({
  name,
  program,
  port,
  readyUrl,
  env,
  core,
}: {
  name: string;
  program: URL;
  port: number;
  readyUrl: string;
  env: Record<string, string>;
  core: ServerCore;
}): Promise<ServerProcess> {
  const startedAt = performance.now();
  const [command, ...args] = [...core, process.execPath, "--import", PROBE, fileURLToPath(program)];
  const child = spawn(command, args, {
    env: { PATH: process.env["PATH"], NODE_ENV: "production", WORKERS: "1", ...env },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  running.add(child);
  const ended = once(child, "exit").then(() => running.delete(child));
  await becomesReady(child, name, readyUrl);
  return {
    name,
    port,
    startSeconds: (performance.now() - startedAt) / 1000,
    async usage() {
      child.send("usage");
      const [usage] = (await once(child, "message")) as [Usage];
      return usage;
    },
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function becomesReady(child: ChildProcess, name: string, url: string): Promise<void> {
  const deadline = performance.now() + READY_SECONDS * 1000;
  while (child.exitCode === null && performance.now() < deadline) {
    const isReady = await fetch(url).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isReady) return;
    await sleep(10);
  }
  throw new Error(`${name} did not start`);
}

export async function stopServers(): Promise<void> {
  const ends = [...running].map(async (child) => {
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  await Promise.all(ends);
}
