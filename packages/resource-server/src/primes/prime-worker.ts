/** The thread of `prime-pool.ts`: takes a task, answers with one finding for each of its numbers. */
import { randomBytes } from "node:crypto";
import { parentPort } from "node:worker_threads";
import { withEvidence } from "./evidence.ts";
import { type Found, isPrime } from "./is-prime.ts";
import { type Direction, findNeighbour } from "./neighbour.ts";
import type { PrimeTask } from "./prime-pool.ts";

const port = parentPort;
if (!port) throw new TypeError("prime-worker runs as a worker thread only");
port.on("message", ({ numbers, find, evidence }: PrimeTask) => {
  for (const n of numbers) {
    const found = look(n, find);
    port.postMessage(found && evidence ? withEvidence(found) : found);
  }
});

function look(n: bigint, find: Direction | undefined): Found | undefined {
  return find === undefined ? { number: n, ...isPrime(n, randomBytes) } : findNeighbour(n, find);
}
