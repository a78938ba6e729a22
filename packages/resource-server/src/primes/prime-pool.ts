/**
 * Checks integers without blocking the event loop: those of up to 64 bits here (0.05 ms), the rest
 * in worker threads (a prime of 4,096 bits takes about a second), with a bounded queue before them.
 *
 * An own pool, because piscina 5.3 lets its queue grow past `maxQueue` for tasks that carry an
 * AbortSignal, and here every task does: when its client goes away, or its time is up, its thread is
 * terminated and the place goes to the next.
 */
import { randomBytes } from "node:crypto";
import { Worker } from "node:worker_threads";
import { ProblemError } from "@daykey/service/problem-error";
import { bitLength } from "./integers.ts";
import { isPrime, type PrimeResult } from "./is-prime.ts";

export interface PrimeChecker {
  /**
   * Settles within the time limit. The size of `n` is the caller's to bound.
   * @throws {ProblemError} 503 when the queue is full, the time is up or the checker is closed
   * @throws the signal's reason once it is aborted
   */
  check(n: bigint, signal: AbortSignal): Promise<PrimeResult>;
  /** Ends all threads; whoever still waits gets a 503. */
  close(): Promise<void>;
}

interface Job {
  readonly n: bigint;
  readonly resolve: (result: PrimeResult) => void;
  readonly reject: (reason: unknown) => void;
}

const WORKER_FILE = new URL("./prime-worker.ts", import.meta.url);
const INLINE_BITS = 64;
const RETRY_AFTER_SECONDS = 5;

/**
 * `threads` start when they are first needed, and stay. `maxQueue` is how many numbers may wait for
 * one. `timeLimitSeconds` is for waiting and computing together.
 */
export function createPrimeChecker({
  threads,
  maxQueue,
  timeLimitSeconds = 30,
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
      worker.postMessage(job.n);
    }
  }

  function startWorker(): Worker {
    const worker = new Worker(WORKER_FILE);
    workers.add(worker);
    worker.on("message", (result: PrimeResult) => {
      const job = running.get(worker);
      if (!job) return; // abandoned a moment ago
      running.delete(worker);
      idle.add(worker);
      worker.unref();
      job.resolve(result);
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

  return {
    async check(n, signal) {
      signal.throwIfAborted();
      if (closed) throw stopping();
      if (bitLength(n) <= INLINE_BITS) return isPrime(n, randomBytes);
      if (idle.size === 0 && workers.size >= threads && queue.size >= maxQueue) {
        throw unavailable("Too many numbers are waiting to be checked.", "prime_queue_full");
      }
      const { promise, resolve, reject } = Promise.withResolvers<PrimeResult>();
      const job = { n, resolve, reject };
      const onAbort = () => abandon(job, signal.reason);
      const onTimeUp = () => abandon(job, timeUp());
      const timer = setTimeout(onTimeUp, timeLimitSeconds * 1000);
      signal.addEventListener("abort", onAbort);
      queue.add(job);
      startQueued();
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
      }
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
