/**
 * A worker's side of an instance that has several: whichever of them a request for `/metrics`,
 * `/livez` or `/readyz` reaches, it asks all and answers for the instance. Questions go through the
 * supervisor (`workers.ts`), which knows who is there.
 */
import cluster from "node:cluster";

export interface Peers {
  /** This worker's number, from 1; a worker that takes another's place takes its number. */
  readonly number: number;
  /** How long it may wait to be ready before it listens. */
  readonly patienceSeconds: number;
  /** It ends rather than listen while it is not ready. */
  readonly mustBeReady: boolean;
  /** What this worker says when it is asked. */
  answer(question: string, answer: () => unknown): void;
  /**
   * What each worker that serves says, by number, this one's answer too; null for one that does not
   * say anything in time. Nobody is there once the whole instance stops.
   */
  ask(question: string): Promise<ReadonlyMap<number, unknown>>;
  /** Tells the supervisor for what this worker waits before it listens. */
  waits(fault: string): void;
  /** Tells the supervisor that this worker listens, and why it is not ready if it is not. */
  serving(fault: string | undefined): void;
  /**
   * Before the end, when this worker listens no more: resolves once the supervisor knows that and has
   * been given back every connection that it handed out meanwhile.
   */
  leave(): Promise<void>;
}

export type FromWorker =
  | { kind: "waits"; fault: string }
  | { kind: "serving"; fault: string | undefined }
  | { kind: "ask"; question: string }
  | { kind: "leave" }
  | { kind: "failed"; reason: string }
  | { kind: "answer"; id: number; answer: unknown };

export type ToWorker =
  | { kind: "question"; id: number; question: string }
  | { kind: "answers"; question: string; answers: [number, unknown][] }
  | { kind: "left" };

/** The variables of a worker's environment that tell it its place. */
export function workerEnvironment({
  number,
  patienceSeconds,
  mustBeReady,
}: Pick<Peers, "number" | "patienceSeconds" | "mustBeReady">): Record<string, string> {
  return {
    DAYKEY_WORKER: String(number),
    DAYKEY_WORKER_PATIENCE: String(patienceSeconds),
    DAYKEY_WORKER_MUST_BE_READY: String(mustBeReady),
  };
}

/** A worker that could not start tells the supervisor why, and lets go of it, so that it can end. */
export function reportFailure(reason: string): void {
  if (!cluster.isWorker) return;
  const message: FromWorker = { kind: "failed", reason };
  // Unless the supervisor is gone, which ends the worker too.
  process.send?.(message, () => cluster.worker?.disconnect());
}

/** Undefined in a process that is no worker. */
export function joinPeers(): Peers | undefined {
  if (!cluster.isWorker) return undefined;
  const answers = new Map<string, () => unknown>();
  /** Asked and not answered yet: whoever asks the same meanwhile shares the answer. */
  const asked = new Map<string, PromiseWithResolvers<ReadonlyMap<number, unknown>>>();
  const left = Promise.withResolvers<void>();
  const tell = (message: FromWorker): void => {
    if (process.connected) process.send?.(message);
  };

  process.on("message", (message: ToWorker) => {
    if (message.kind === "question") {
      const { id, question } = message;
      void Promise.resolve(answers.get(question)?.()).then((answer) =>
        tell({ kind: "answer", id, answer }),
      );
    } else if (message.kind === "answers") {
      asked.get(message.question)?.resolve(new Map(message.answers));
      asked.delete(message.question);
    } else if (message.kind === "left") {
      left.resolve();
    }
  });

  return {
    number: Number(process.env["DAYKEY_WORKER"]),
    patienceSeconds: Number(process.env["DAYKEY_WORKER_PATIENCE"]),
    mustBeReady: process.env["DAYKEY_WORKER_MUST_BE_READY"] === "true",
    answer: (question, answer) => void answers.set(question, answer),
    ask(question) {
      const onItsWay = asked.get(question);
      if (onItsWay) return onItsWay.promise;
      const answered = Promise.withResolvers<ReadonlyMap<number, unknown>>();
      asked.set(question, answered);
      tell({ kind: "ask", question });
      return answered.promise;
    },
    waits: (fault) => tell({ kind: "waits", fault }),
    serving: (fault) => tell({ kind: "serving", fault }),
    leave() {
      // Messages keep their order, so what was handed out before this one's answer has been read.
      tell({ kind: "leave" });
      return left.promise;
    },
  };
}
