/** A tool of the machine that a test wants and the repository does not bring: a browser, a server. */
import { spawnSync } from "node:child_process";

/**
 * Whether the tool is there. In CI, where tests run as root on a machine of their own, it is installed;
 * elsewhere a person decides, and the test is skipped with a word on how to have it.
 * @param command what is called; @param packages Debian's packages that bring it
 */
export function machineTool(command: string, packages: readonly string[] = [command]): boolean {
  if (isThere(command)) return true;
  const isRoot = process.getuid?.() === 0;
  if (process.env["CI"] !== undefined && isRoot) {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const install = ["install", "--yes", "--no-install-recommends", ...packages];
    for (const args of [["update"], install]) {
      const { status, stderr } = spawnSync("apt-get", args, { env, encoding: "utf8" });
      if (status !== 0) console.warn(`apt-get ${args[0]} failed: ${stderr}`);
    }
    if (isThere(command)) return true;
  }
  console.warn(
    `SKIPPED: ${command} is not here. With it, this runs too: apt-get install ${packages.join(" ")}`,
  );
  return false;
}

function isThere(command: string): boolean {
  return spawnSync("sh", ["-c", `command -v "$1"`, "sh", command]).status === 0;
}
