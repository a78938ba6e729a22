/**
 * One machine's cores: an instance as a supervisor and its workers, which share both ports
 * (`node:cluster`). The supervisor takes the connections and hands them out, so none is lost when a
 * worker goes: it replaces one that ends, and on SIGHUP each in turn, the new one ready before the old
 * one drains. It does nothing else, so that there is little in it that could fail.
 */
import cluster, { type Worker as Process } from "node:cluster";
import { setTimeout as sleep } from "node:timers/promises";

import { backoff } from "@daykey/common/backoff";
import { closeUntakenConnections } from "./handed-connections.ts";
import { runUntilSignal } from "./lifecycle.ts";
import type { Log } from "../observe/log.ts";
import { type FromWorker, type ToWorker, workerEnvironment } from "./peers.ts";

/** How long a new worker may take. */
export interface BeginLimits {
  /** To be ready, in a reload; then the old workers go on. */
  readonly reloadSeconds: number;
  /**
   * To connect to its stores and to listen, beyond the time to be ready. The supervisor keeps this
   * limit, because a worker that hangs keeps none.
   */
  readonly beginSeconds: number;
}

const BEGIN_LIMITS: BeginLimits = { reloadSeconds: 30, beginSeconds: 30 };
/** How long a worker that takes another's place waits to be ready before it listens all the same. */
const REPLACEMENT_PATIENCE_SECONDS = 5;

/** A worker that served so long has not failed at once. */
const SETTLED_SECONDS = 10;
/** The first pause and the longest. */
const PAUSE_SECONDS = [0.1, 5] as const;
/** This many short lives in a row, with no worker left that serves, end the instance. */
const MAX_FAILURES = 3;

const ANSWER_SECONDS = 2;
/** Each worker is asked this often whether it lives. `MAX_SILENCES` missing answers in a row end it. */
const LOOK_SECONDS = 1;
const MAX_SILENCES = 4;
/** A worker that was asked to stop is ended this long after its own limit. */
const STOP_MARGIN_SECONDS = 1;

interface Worker {
  readonly number: number;
  readonly process: Process;
  isServing: boolean;
  /** When it began to serve, in seconds of this process. */
  servedFrom: number | undefined;
  /** Why it could not start, as it said before it ended; or why it was not ready when it began to serve. */
  failure: string | undefined;
  /** It listens and is ready, or is not; or it has ended, or was ended, before it listened. */
  readonly begun: Promise<"ready" | "unready" | "ended" | "late">;
  readonly ended: Promise<void>;
}

/** Runs `count` workers, each a new process of this program, until a signal ends them. */
export async function supervise({
  count,
  log,
  stopSeconds,
  limits = {},
}: {
  count: number;
  log: Log;
  stopSeconds: number;
  limits?: Partial<BeginLimits> | undefined;
}): Promise<void> {
  const { reloadSeconds, beginSeconds } = { ...BEGIN_LIMITS, ...limits };
  /** By number; one that drains after a reload is not here any more. */
  const current = new Map<number, Worker>();
  const living = new Set<Worker>();
  const questions = new Map<number, { of: Worker; answered: (answer: unknown) => void }>();
  let lastQuestion = 0;
  let isStopping = false;
  let reloading: Promise<void> | undefined;
  let isReloadAsked = false;

  function start(number: number, patienceSeconds: number, { mustBeReady = false } = {}): Worker {
    const process = cluster.fork(workerEnvironment({ number, patienceSeconds, mustBeReady }));
    closeUntakenConnections(process);
    const begun = Promise.withResolvers<Awaited<Worker["begun"]>>();
    const ended = Promise.withResolvers<void>();
    const worker: Worker = {
      number,
      process,
      isServing: false,
      servedFrom: undefined,
      failure: undefined,
      begun: begun.promise,
      ended: ended.promise,
    };
    living.add(worker);
    const late = setTimeout(
      () => {
        log.error({ event: "worker_late", worker: number }, "a worker did not start in time");
        begun.resolve("late");
        process.process.kill("SIGKILL");
      },
      (patienceSeconds + beginSeconds) * 1000,
    );
    process.on("message", (message: FromWorker) => {
      if (message.kind === "serving") {
        worker.isServing = true;
        worker.servedFrom = seconds();
        clearTimeout(late);
        worker.failure = message.fault;
        begun.resolve(message.fault === undefined ? "ready" : "unready");
        void watch(worker);
      } else if (message.kind === "waits") {
        const { fault } = message;
        log.warn({ event: "worker_waits", worker: number, fault }, "a new worker is not ready yet");
      } else if (message.kind === "ask") {
        const { question } = message;
        void askAll(question).then((answers) =>
          tell(worker, { kind: "answers", question, answers }),
        );
      } else if (message.kind === "leave") {
        tell(worker, { kind: "left" });
      } else if (message.kind === "failed") {
        worker.failure = message.reason;
      } else {
        questions.get(message.id)?.answered(message.answer);
      }
    });
    // A message to one that is about to end may fail; its end is what counts. But what was never a process
    // (no memory, too many processes, no program) has no other end than this.
    process.on("error", (error: NodeJS.ErrnoException) => {
      if (process.process.pid !== undefined || !living.has(worker)) return;
      worker.failure = `it cannot be made (${error.code})`;
      onEnd(null, null);
    });
    process.on("exit", onEnd);
    function onEnd(code: number | null, signal: string | null): void {
      clearTimeout(late);
      living.delete(worker);
      worker.isServing = false;
      for (const { of, answered } of questions.values()) if (of === worker) answered(null);
      const isExpected = isStopping || current.get(number) !== worker;
      if (!isExpected) {
        const { failure } = worker;
        log.error(
          { event: "worker_ended", worker: number, code, signal, failure },
          "a worker ended",
        );
      }
      begun.resolve("ended");
      ended.resolve();
    }
    return worker;
  }

  /** Ends a worker that serves and says nothing: it would keep the connections it has. */
  async function watch(worker: Worker): Promise<void> {
    for (let silences = 0; silences < MAX_SILENCES;) {
      await sleep(LOOK_SECONDS * 1000);
      if (isStopping || !living.has(worker)) return;
      silences = (await ask(worker, "alive")) === null ? silences + 1 : 0;
    }
    if (isStopping || !living.has(worker)) return;
    const { number, process } = worker;
    log.error(
      { event: "worker_silent", worker: number, workerPid: process.process.pid },
      "a worker does not answer and is ended",
    );
    process.process.kill("SIGKILL");
  }

  function tell(worker: Worker, message: ToWorker): void {
    if (worker.process.isConnected()) worker.process.send(message, () => {});
  }

  function askAll(question: string): Promise<[number, unknown][]> {
    const asked = isStopping ? [] : [...current.values()].filter(({ isServing }) => isServing);
    return Promise.all(
      asked.map(async (worker): Promise<[number, unknown]> => [
        worker.number,
        await ask(worker, question),
      ]),
    );
  }

  async function ask(of: Worker, question: string): Promise<unknown> {
    const id = ++lastQuestion;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    questions.set(id, { of, answered: resolve });
    const timer = setTimeout(resolve, ANSWER_SECONDS * 1000, null);
    tell(of, { kind: "question", id, question });
    const answer = await promise;
    clearTimeout(timer);
    questions.delete(id);
    return answer;
  }

  /** Puts another in the place of a worker that ended by itself, for as long as the instance lives. */
  async function keep(number: number): Promise<void> {
    let failures = 0;
    while (!isStopping) {
      const worker = current.get(number);
      await worker?.ended;
      if (current.get(number) !== worker) continue;
      const hasSettled = seconds() - (worker?.servedFrom ?? Infinity) >= SETTLED_SECONDS;
      failures = hasSettled ? 0 : failures + 1;
      if (failures >= MAX_FAILURES && ![...living].some(({ isServing }) => isServing)) {
        log.fatal({ event: "workers_failed" }, "the workers end as soon as they start");
        return endInstance("workers_failed", 1);
      }
      if (failures > 0) {
        await sleep(backoff(failures - 1, PAUSE_SECONDS, 1) * 1000);
      }
      if (isStopping || current.get(number) !== worker) continue;
      current.set(number, start(number, REPLACEMENT_PATIENCE_SECONDS));
    }
  }

  /** Replaces every worker, one after the other; the first that does not become ready ends the reload. */
  async function reload(): Promise<void> {
    log.info({ event: "reload_begun" }, "reloading");
    for (let number = 1; number <= count && !isStopping; number++) {
      const next = start(number, reloadSeconds, { mustBeReady: true });
      const outcome = await next.begun;
      if (outcome !== "ready") {
        const { failure } = next;
        log.error(
          { event: "reload_failed", worker: number, outcome, failure },
          "the old workers go on",
        );
        await end(next);
        return;
      }
      const old = current.get(number);
      current.set(number, next);
      if (old) await end(old);
    }
    log.info({ event: "reloaded" }, "reloaded");
  }

  async function end(worker: Worker): Promise<void> {
    worker.process.process.kill("SIGTERM");
    const late = setTimeout(
      () => worker.process.process.kill("SIGKILL"),
      (stopSeconds + STOP_MARGIN_SECONDS) * 1000,
    );
    await worker.ended;
    clearTimeout(late);
  }

  const first = start(1, 0);
  current.set(1, first);
  // One speaks for all about what is wrong with settings, ports or the database.
  const outcome = await first.begun;
  if (outcome === "ended" || outcome === "late") {
    process.exitCode = 1;
    return;
  }
  for (let number = 2; number <= count; number++) current.set(number, start(number, 0));

  const endInstance = runUntilSignal({
    log,
    stopSeconds: stopSeconds + 2 * STOP_MARGIN_SECONDS,
    async stop() {
      isStopping = true;
      await Promise.all([...living].map(end));
    },
  });
  process.on("SIGHUP", () => {
    isReloadAsked = true;
    reloading ??= (async () => {
      while (isReloadAsked && !isStopping) {
        isReloadAsked = false;
        await reload();
      }
      reloading = undefined;
    })();
  });
  await Promise.all(Array.from(current.keys(), keep));
}

function seconds(): number {
  return performance.now() / 1000;
}
