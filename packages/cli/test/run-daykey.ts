/** The program as a process of its own: what it writes where, and its exit code. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../bin/daykey.mjs", import.meta.url));

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Desk {
  /** Where it runs; its home too, so nobody's profiles are touched. */
  folder: string;
  run(
    args: readonly string[],
    given?: { input?: string; env?: Record<string, string> },
  ): Promise<Outcome>;
  remove(): Promise<void>;
}

/** A folder of its own to run the program in. */
export async function createDesk(env: Record<string, string> = {}): Promise<Desk> {
  const folder = await mkdtemp(join(tmpdir(), "daykey-cli-"));
  const path = process.env["PATH"] ?? "";
  return {
    folder,
    async run(args, { input = "", env: more = {} } = {}) {
      const child = spawn(process.execPath, [PROGRAM, ...args], {
        cwd: folder,
        env: { PATH: path, HOME: folder, TZ: "UTC", ...env, ...more },
        stdio: "pipe",
      });
      const text = { stdout: "", stderr: "" };
      for (const name of ["stdout", "stderr"] as const) {
        child[name].setEncoding("utf8").on("data", (chunk: string) => (text[name] += chunk));
      }
      // Many commands end without reading it.
      child.stdin.on("error", () => {}).end(input);
      const [code] = (await once(child, "close")) as [number | null];
      return { code, ...text };
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
