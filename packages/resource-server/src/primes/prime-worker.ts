/** The thread of `prime-pool.ts`: takes a task, answers with one finding for each of its numbers. */
import { randomBytes } from "node:crypto";
import { platform, setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { withEvidence } from "./evidence.ts";
import { type Found, isPrime } from "./is-prime.ts";
import { type Direction, findNeighbour } from "./neighbour.ts";
import type { PrimeTask } from "./prime-pool.ts";

const THREAD_NICENESS = 10;

const port = parentPort;
if (!port) throw new TypeError("prime-worker runs as a worker thread only");
// On Linux a thread has a priority of its own: the event loop goes first. Elsewhere it is the process's.
if (platform() === "linux") setPriority(0, THREAD_NICENESS);

port.on("message", ({ numbers, find, evidence }: PrimeTask) => {
  for (const n of numbers) {
    const found = look(n, find);
    port.postMessage(found && evidence ? withEvidence(found) : found);
  }
});

function look(n: bigint, find: Direction | undefined): Found | undefined {
  return find === undefined ? { number: n, ...isPrime(n, randomBytes) } : findNeighbour(n, find);
}
