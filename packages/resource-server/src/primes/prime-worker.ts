/** The thread of `prime-pool.ts`: takes an integer, answers with its `PrimeResult`. */
import { randomBytes } from "node:crypto";
import { parentPort } from "node:worker_threads";
import { isPrime } from "./is-prime.ts";

const port = parentPort;
if (!port) throw new TypeError("prime-worker runs as a worker thread only");
port.on("message", (n: bigint) => port.postMessage(isPrime(n, randomBytes)));
