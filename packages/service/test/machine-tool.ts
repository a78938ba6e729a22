/**
 * Programs that some tests need beside the packages: those the machine has, or Debian's where a CI
 * machine may be changed (`CI` is set, and this is root). Elsewhere what needs one is skipped, which is
 * said on standard error: `describe.skipIf(machineTool("redis-server") === undefined)`.
 */
import { spawnSync } from "node:child_process";

/** Test files run side by side, and apt-get does not wait for itself. */
const INSTALL = `exec 9>/tmp/daykey-apt.lock && flock 9
command -v "$1" && exit
apt-get update -qq && apt-get install -y -qq --no-install-recommends "$2" >&2
command -v "$1"`;

/**
 * The program's path, or undefined.
 * @param debianPackage the package it is in, if not one of its own name
 */
export function machineTool(name: string, debianPackage: string = name): string | undefined {
  const mayInstall = process.env["CI"] !== undefined && process.getuid?.() === 0;
  const script = mayInstall ? INSTALL : 'command -v "$1"';
  const { stdout } = spawnSync("/bin/sh", ["-c", script, "machine-tool", name, debianPackage], {
    encoding: "utf8",
    // Debian starts a service that it installs, but not in this run level.
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const path = stdout.trim();
  if (path !== "") return path;
  const advice = mayInstall ? "could not be installed" : `is not here (Debian: ${debianPackage})`;
  process.stderr.write(`SKIPPED: ${name} ${advice}, so what needs it is not tested.\n`);
  return undefined;
}
