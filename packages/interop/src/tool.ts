/** Other programs: started with low priority, bounded in time, their output kept. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const MINUTES = 60_000;

export interface ToolRun {
  /** The exit code. */
  code: number;
  /** Standard output. */
  output: string;
}

/** @throws {Error} with what it wrote, when it fails or runs for 20 minutes */
export async function runTool(
  command: string,
  args: readonly string[],
  {
    folder,
    env = {},
    codes = [0],
  }: { folder?: string; env?: Record<string, string>; codes?: number[] },
): Promise<ToolRun> {
  try {
    const { stdout } = await run("nice", ["-n", "10", command, ...args], {
      cwd: folder,
      env: { ...process.env, ...env },
      timeout: 20 * MINUTES,
      maxBuffer: 64 << 20,
    });
    return { code: 0, output: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code === "number" && codes.includes(code)) return { code, output: stdout ?? "" };
    const said = `${stdout ?? ""}\n${stderr ?? ""}`.trim().split("\n").slice(-40).join("\n");
    throw new Error(`${command} ${args.join(" ")}:\n${said}`, { cause: error });
  }
}

export async function isInstalled(command: string): Promise<boolean> {
  return run("sh", ["-c", 'command -v "$0"', command]).then(
    () => true,
    () => false,
  );
}
