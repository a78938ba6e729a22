/**
 * Checks integers without blocking the event loop: one of up to 64 bits here (0.05 ms), the rest, and
 * whatever takes a search, in worker threads (a prime of 4,096 bits takes about a second), with a
 * bounded queue before them.
 *
 * An own pool, because piscina 5.3 lets its queue grow past `maxQueue` for tasks that carry an
 * AbortSignal, and here every task does: when its client goes away, or its time is up, its thread is
 * terminated and the place goes to the next.
 */
import { randomBytes } from "node:crypto";
import { Worker } from "node:worker_threads";
import { ProblemError } from "@daykey/service/http/problem-error";
import { bitLength } from "@daykey/common/integers";
import { type Found, isPrime } from "./is-prime.ts";
import type { Direction } from "./neighbour.ts";

/**
 * All methods settle within the time limit. The sizes of numbers are the caller's to bound. With
 * `evidence` a certificate or a factor is looked for.
 * @throws {ProblemError} 503 when the queue is full, the time is up or the checker is closed
 * @throws the signal's reason once it is aborted
 */
export interface PrimeChecker {
  check(n: bigint, signal: AbortSignal, options?: { evidence: boolean }): Promise<Found>;
  /** In the order of `numbers`. When the time is up, those that were reached, if there are any. */
  checkAll(
    numbers: readonly bigint[],
    signal: AbortSignal,
    options?: { evidence: boolean },
  ): Promise<Found[]>;
  /** The prime next to n, or undefined when there is none of at most 4,096 bits. */
  find(
    direction: Direction,
    n: bigint,
    signal: AbortSignal,
    options?: { evidence: boolean },
  ): Promise<Found | undefined>;
  /** Ends all threads; whoever still waits gets a 503. */
  close(): Promise<void>;
}

/** What a thread is asked: of each number itself, or of the prime next to it. */
export interface PrimeTask {
  readonly numbers: readonly bigint[];
  readonly find?: Direction;
  readonly evidence: boolean;
}

interface Job {
  readonly task: PrimeTask;
  /** In the order of the task's numbers. */
  readonly findings: (Found | undefined)[];
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

const WORKER_FILE = new URL("./prime-worker.ts", import.meta.url);
const INLINE_BITS = 64;
const RETRY_AFTER_SECONDS = 5;
const NO_EVIDENCE = { evidence: false };

/**
 * `threads` start when they are first needed, and stay. `maxQueue` is how many numbers may wait for
 * one. `timeLimitSeconds` is for waiting and computing together; it ends before a proxy's, many of which
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
  const queue = new Set<Job>();
  let closed = false;

  function startQueued(): void {
    for (const job of queue) {
      const [worker = workers.size < threads ? startWorker() : undefined] = idle;
      if (!worker) return;
      idle.delete(worker);
      queue.delete(job);
      running.set(worker, job);
      worker.ref();
      worker.postMessage(job.task);
    }
  }

  function startWorker(): Worker {
    const worker = new Worker(WORKER_FILE);
    workers.add(worker);
    worker.on("message", (finding: Found | undefined) => {
      const job = running.get(worker);
      if (!job) return; // abandoned a moment ago
      if (job.findings.push(finding) < job.task.numbers.length) return;
      running.delete(worker);
      idle.add(worker);
      worker.unref();
      job.resolve();
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

  function abandon(job: Job, reason: unknown): void {
    queue.delete(job);
    for (const [worker, current] of running) {
      if (current !== job) continue;
      running.delete(worker);
      void worker.terminate();
    }
    job.reject(reason);
  }

  async function perform(task: PrimeTask, signal: AbortSignal): Promise<(Found | undefined)[]> {
    signal.throwIfAborted();
    if (closed) throw stopping();
    if (idle.size === 0 && workers.size >= threads && queue.size >= maxQueue) {
      throw unavailable("Too many numbers are waiting to be checked.", "prime_queue_full");
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const job: Job = { task, findings: [], resolve, reject };
    const onAbort = () => abandon(job, signal.reason);
    const onTimeUp = () => {
      if (job.findings.length > 0) resolve();
      abandon(job, timeUp());
    };
    const timer = setTimeout(onTimeUp, timeLimitSeconds * 1000);
    signal.addEventListener("abort", onAbort);
    queue.add(job);
    startQueued();
    try {
      await promise;
      return job.findings;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  return {
    async check(n, signal, { evidence } = NO_EVIDENCE) {
      if (bitLength(n) <= INLINE_BITS && !evidence && !closed) {
        signal.throwIfAborted();
        return { number: n, ...isPrime(n, randomBytes) };
      }
      const [found] = await perform({ numbers: [n], evidence }, signal);
      return found as Found;
    },

    async checkAll(numbers, signal, { evidence } = NO_EVIDENCE) {
      return (await perform({ numbers, evidence }, signal)) as Found[];
    },

    async find(direction, n, signal, { evidence } = NO_EVIDENCE) {
      const [found] = await perform({ numbers: [n], find: direction, evidence }, signal);
      return found;
    },

    async close() {
      closed = true;
      for (const job of [...queue, ...running.values()]) abandon(job, stopping());
      await Promise.all([...workers].map((worker) => worker.terminate()));
    },
  };
}

function timeUp(): ProblemError {
  return unavailable("The check did not end within its time limit.", "prime_time_limit");
}

function stopping(): ProblemError {
  return unavailable("The server is stopping.", "prime_checker_closed");
}

function unavailable(detail: string, reason: string): ProblemError {
  const headers = { "Retry-After": String(RETRY_AFTER_SECONDS) };
  return new ProblemError({ status: 503, code: "prime-checks-busy", detail, reason, headers });
}
