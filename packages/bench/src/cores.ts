/**
 * Which core does what: one for the server that is measured, another for the load, PostgreSQL and all
 * else. Without `taskset` or a second core nothing is pinned, and the report says so.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** What is put before a command to run it on the server's core. */
export type ServerCore = readonly string[];

/** Moves this process, and what it starts from now on, to the load's core. */
export function takeCores(): ServerCore {
  const [serverCore, loadCore] = allowedCores();
  if (serverCore === undefined || loadCore === undefined) return [];
  const moved = spawnSync("taskset", ["-a", "-pc", String(loadCore), String(process.pid)]);
  return moved.status === 0 ? ["taskset", "-c", String(serverCore)] : [];
}

function allowedCores(): number[] {
  let status: string;
  try {
    status = readFileSync("/proc/self/status", "utf8");
  } catch {
    return []; // Not Linux.
  }
  const ranges = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? "";
  return ranges.split(",").flatMap((range) => {
    const [first = NaN, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
