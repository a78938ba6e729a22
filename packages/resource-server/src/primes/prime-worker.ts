/** The thread of `prime-pool.ts`: takes a task, answers with one outcome. */
import { randomBytes } from "node:crypto";
import { platform, setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { withEvidence } from "./evidence.ts";
import { type Found, isPrime } from "./is-prime.ts";
import { findNeighbour } from "./neighbour.ts";
import type { PrimeOutcome, PrimeTask } from "./prime-pool.ts";

const THREAD_NICENESS = 10;

const port = parentPort;
if (!port) throw new TypeError("prime-worker runs as a worker thread only");
// On Linux a thread has a priority of its own: the event loop goes first. Elsewhere it is the process's.
if (platform() === "linux") setPriority(0, THREAD_NICENESS);

port.on("message", (task: PrimeTask) => port.postMessage(perform(task)));

function perform({ numbers, find, evidence }: PrimeTask): PrimeOutcome {
  const found: (Found | undefined)[] = [];
  for (const n of numbers) {
    const outcome = find ? findNeighbour(n, find) : { number: n, ...isPrime(n, randomBytes) };
    if (outcome && "searchedTo" in outcome) return outcome;
    found.push(outcome && evidence ? withEvidence(outcome) : outcome);
  }
  return { found };
}
