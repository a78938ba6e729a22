/**
 * Checks integers without blocking the event loop: one of up to 64 bits here (0.05 ms), the rest, and
 * whatever takes a search, in worker threads (a prime of 4,096 bits takes about a second), with a
 * bounded queue before them. The threads serve clients in turn, each for a slice of its first job; who
 * asks for much waits for itself, and is the one who is refused when the queue is full.
 *
 * An own pool, because piscina 5.3 lets its queue grow past `maxQueue` for tasks that carry an
 * AbortSignal, and here every task does: when its client goes away, or its time is up, its thread is
 * terminated and the place goes to the next.
 */
import { randomBytes } from "node:crypto";
import { Worker } from "node:worker_threads";
import { problem, type ProblemError } from "@daykey/service/http/problem-error";
import { bitLength } from "@daykey/common/integers";
import { type Found, isPrime } from "./is-prime.ts";
import { MAX_PRIME_BITS } from "@daykey/common/prime-certificate";
import { createFairQueue, type QueuedJob } from "./fair-queue.ts";
import type { Direction } from "./neighbour.ts";

/** Whose turn it takes, and when the answer is of no use any more. */
export interface Asker {
  readonly client: string;
  readonly signal: AbortSignal;
}

/**
 * All methods settle within the time limit. The sizes of numbers are the caller's to bound. With
 * `evidence` a certificate or a factor is looked for.
 * @throws {ProblemError} 503 when the queue is full, the time is up or the checker is closed
 * @throws the signal's reason once it is aborted
 */
export interface PrimeChecker {
  check(n: bigint, asker: Asker, options?: { evidence: boolean }): Promise<Found>;
  /** In the order of `numbers`. When the time is up, those that were reached, if there are any. */
  checkAll(
    numbers: readonly bigint[],
    asker: Asker,
    options?: { evidence: boolean },
  ): Promise<Found[]>;
  /** The prime next to n, or undefined when there is none of at most 4,096 bits. */
  find(
    direction: Direction,
    n: bigint,
    asker: Asker,
    options?: { evidence: boolean },
  ): Promise<Found | undefined>;
  /** Ends all threads; whoever still waits gets a 503. */
  close(): Promise<void>;
}

/** What a thread is asked: of each number itself, or of the prime next to it. It is a slice of a job. */
export interface PrimeTask {
  readonly numbers: readonly bigint[];
  readonly find?: Direction;
  readonly evidence: boolean;
}

/** A thread's one answer to a task: what it found, or how far a search has come that goes on. */
export type PrimeOutcome = { found: readonly (Found | undefined)[] } | { searchedTo: bigint };

interface Job extends Asker, QueuedJob {
  readonly task: PrimeTask;
  /** In the order of the task's numbers. */
  readonly findings: (Found | undefined)[];
  /** For a search: the last number that was looked at. */
  searchedTo?: bigint;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

const WORKER_FILE = new URL("./prime-worker.ts", import.meta.url);
const INLINE_BITS = 64;
const RETRY_AFTER_SECONDS = 5;
const NO_EVIDENCE = { evidence: false };
/** After which a client that has all threads gives one up to another client. */
const PATIENCE_MS = 250;

/**
 * `threads` start when they are first needed, and stay. `maxQueue` is how many jobs may wait for one;
 * when it is full the newest job of the client with the most is refused, be it the one that comes.
 * `timeLimitSeconds` is for waiting and computing together; it ends before a proxy's, many of which
 * wait 30 s, so that who asked hears from here what took so long.
 */
export function createPrimeChecker({
  threads,
  maxQueue,
  timeLimitSeconds = 25,
}: {
  threads: number;
  maxQueue: number;
  timeLimitSeconds?: number;
}): PrimeChecker {
  /** Every thread, those being terminated too: a place is free only when its thread has ended. */
  const workers = new Set<Worker>();
  const idle = new Set<Worker>();
  const running = new Map<Worker, Job>();
  const queue = createFairQueue<Job>(threads + maxQueue);
  let closed = false;

  function startQueued(): void {
    for (;;) {
      const job = queue.next();
      if (!job) return;
      const [worker = workers.size < threads ? startWorker() : undefined] = idle;
      if (!worker) return;
      queue.take(job);
      idle.delete(worker);
      running.set(worker, job);
      worker.ref();
      worker.postMessage(nextSlice(job));
    }
  }

  function startWorker(): Worker {
    const worker = new Worker(WORKER_FILE);
    workers.add(worker);
    worker.on("message", (outcome: PrimeOutcome) => {
      const job = running.get(worker);
      if (!job) return; // abandoned a moment ago
      running.delete(worker);
      idle.add(worker);
      worker.unref();
      queue.release(job);
      if ("searchedTo" in outcome) job.searchedTo = outcome.searchedTo;
      else job.findings.push(...outcome.found);
      if (job.findings.length === job.task.numbers.length) {
        queue.remove(job);
        job.resolve();
      }
      startQueued();
    });
    worker.on("error", (cause) => running.get(worker)?.reject(cause));
    worker.on("exit", () => {
      workers.delete(worker);
      idle.delete(worker);
      running.delete(worker);
      startQueued();
    });
    return worker;
  }

  /** Ends its thread too. */
  function abandon(job: Job, reason: unknown): void {
    queue.remove(job);
    for (const [worker, current] of running) if (current === job) stop(worker);
    job.reject(reason);
  }

  /** As `abandon`, but what a batch has found by then is its answer. */
  function cutShort(job: Job, reason: unknown): void {
    if (job.findings.length > 0) job.resolve();
    abandon(job, reason);
  }

  function stop(worker: Worker): void {
    running.delete(worker);
    void worker.terminate();
  }

  /** Takes the newest thread of a client that has all of them; its slice is done again later. */
  function claimThread(claimant: Job): void {
    const newest = [...running].at(-1);
    if (claimant.hasBegun || !newest || threads === 1 || running.size < threads) return;
    const [worker, { client }] = newest;
    const holders = new Set([...running.values()].map((job) => job.client));
    if (holders.size > 1 || client === claimant.client) return;
    queue.release(newest[1]);
    stop(worker);
  }

  async function perform(
    task: PrimeTask,
    { client, signal }: Asker,
  ): Promise<(Found | undefined)[]> {
    signal.throwIfAborted();
    if (closed) throw stopping();
    if (queue.isFull()) {
      const crowdedOut = queue.crowdedOutBy(client);
      if (!crowdedOut) throw full();
      cutShort(crowdedOut, full());
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const job: Job = {
      task,
      client,
      signal,
      findings: [],
      resolve,
      reject,
      hasBegun: false,
      isTaken: false,
    };
    const onAbort = () => abandon(job, signal.reason);
    const timer = setTimeout(() => cutShort(job, timeUp()), timeLimitSeconds * 1000);
    const patience = setTimeout(() => claimThread(job), PATIENCE_MS);
    signal.addEventListener("abort", onAbort);
    queue.add(job);
    startQueued();
    try {
      await promise;
      return job.findings;
    } finally {
      clearTimeout(timer);
      clearTimeout(patience);
      signal.removeEventListener("abort", onAbort);
      queue.remove(job);
    }
  }

  return {
    async check(n, asker, { evidence } = NO_EVIDENCE) {
      if (bitLength(n) <= INLINE_BITS && !evidence && !closed) {
        asker.signal.throwIfAborted();
        return { number: n, ...isPrime(n, randomBytes) };
      }
      const [found] = await perform({ numbers: [n], evidence }, asker);
      return found as Found;
    },

    async checkAll(numbers, asker, { evidence } = NO_EVIDENCE) {
      return (await perform({ numbers, evidence }, asker)) as Found[];
    },

    async find(direction, n, asker, { evidence } = NO_EVIDENCE) {
      const [found] = await perform({ numbers: [n], find: direction, evidence }, asker);
      return found;
    },

    async close() {
      closed = true;
      for (const job of queue.all()) abandon(job, stopping());
      await Promise.all([...workers].map((worker) => worker.terminate()));
    },
  };
}

/** As many of a job's next numbers as cost no more than one of 4,096 bits; with evidence, one. */
function nextSlice({ task, findings, searchedTo }: Job): PrimeTask {
  if (task.find) return searchedTo === undefined ? task : { ...task, numbers: [searchedTo] };
  const numbers = task.numbers.slice(findings.length, findings.length + 1);
  let bits = bitLength(numbers[0] ?? 0n);
  for (const number of task.evidence ? [] : task.numbers.slice(findings.length + 1)) {
    bits += bitLength(number) + 1;
    if (bits > MAX_PRIME_BITS) break;
    numbers.push(number);
  }
  return { ...task, numbers };
}

function full(): ProblemError {
  return unavailable("Too many numbers are waiting to be checked.", "prime_queue_full");
}

function timeUp(): ProblemError {
  return unavailable("The check did not end within its time limit.", "prime_time_limit");
}

function stopping(): ProblemError {
  return unavailable("The server is stopping.", "prime_checker_closed");
}

function unavailable(detail: string, reason: string): ProblemError {
  const headers = { "Retry-After": String(RETRY_AFTER_SECONDS) };
  return problem("prime-checks-busy", { detail, reason, headers });
}
