/** `npm start` as a user runs it: its own folder and ports, real processes, its output in memory. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "@daykey/service/test/free-ports";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

export interface CredentialFile {
  issuer: string;
  token_endpoint: string;
  resource: string;
  client_id: string;
  client_secret: string;
  salt: string;
}

/** A folder and ports for `npm start`, whatever runs there. */
export interface Place {
  home: string;
  env: Record<string, string>;
  file(name: string): Promise<string>;
  credential(name: string): Promise<CredentialFile>;
  remove(): Promise<void>;
}

export interface Run {
  child: ChildProcess;
  /** Standard output and error so far. */
  output(): string;
  /** Resolves with the exit code. */
  ended: Promise<number | null>;
}

export async function createPlace(): Promise<Place> {
  const home = await mkdtemp(join(tmpdir(), "daykey-e2e-"));
  const ports = await freePorts(4);
  const file = (name: string): Promise<string> => readFile(join(home, name), "utf8");
  return {
    home,
    env: {
      DAYKEY_HOME: home,
      AUTH_PORT: String(ports[0]),
      AUTH_PRIVATE_PORT: String(ports[1]),
      RESOURCE_PORT: String(ports[2]),
      RESOURCE_PRIVATE_PORT: String(ports[3]),
    },
    file,
    credential: async (name) => JSON.parse(await file(name)) as CredentialFile,
    remove: () => rm(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }),
  };
}

/** What runs still: a test that fails half way must leave nothing behind. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGTERM");
});

/** Runs a command in the repository's folder. */
export function run(command: string, args: readonly string[], env: Record<string, string>): Run {
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const ended = once(child, "close").then(([code]) => code as number | null);
  return { child, output: () => output, ended };
}

export function npmStart(place: Place, ...args: string[]): Run {
  return run("npm", ["start", "--", ...args], place.env);
}

/** Waits for a text in what a run prints. @throws when the run ends without it */
export async function untilPrinted(started: Run, text: string): Promise<void> {
  const isOver = started.ended.then(() => true);
  while (!started.output().includes(text)) {
    const hasEnded = await Promise.race([isOver, sleep(20).then(() => false)]);
    if (hasEnded && !started.output().includes(text)) {
      throw new Error(`it ended without printing "${text}":\n${started.output()}`);
    }
  }
}

/** The stack, up. */
export async function startStack(): Promise<{
  place: Place;
  started: Run;
  stop: () => Promise<void>;
}> {
  const place = await createPlace();
  const started = npmStart(place);
  await untilPrinted(started, "Ctrl-C stops everything.");
  return {
    place,
    started,
    async stop() {
      started.child.kill("SIGTERM");
      await started.ended;
      await place.remove();
    },
  };
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
