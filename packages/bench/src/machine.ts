/** The machine in plain words, for whoever compares the figures with their own. */
import { arch, cpus, platform, totalmem } from "node:os";
import type { ServerCore } from "./cores.ts";

export function describeMachine(core: ServerCore): string {
  const [first] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const pinned =
    core.length > 0
      ? "each server pinned to one core, load and PostgreSQL to another"
      : "nothing pinned to a core, so servers, load and PostgreSQL share them";
  return `${cpus().length} cores (${first?.model.trim() ?? "unknown"}), ${gigabytes} GB, ${platform()} ${arch()}, Node ${process.version}; ${pinned}`;
}
