/**
 * The end of a wait for something outside. A limit that lives in what is waited for is none: a connection
 * that was handed over to another protocol, say, hears no signal any more and never answers.
 */

import { OWN_MESSAGE } from "./own-message.ts";

/** The time was over. */
export class DeadlinePassed extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "DeadlinePassed";
}

/**
 * What `work` gives, or a failure once the time is over or the signal is aborted, whatever `work` does.
 * @param work gets a signal that is aborted at its end, so that it can let go of what it holds
 * @param late makes the error of a passed deadline
 * @throws what `late` makes, the reason of `signal`, or what `work` throws
 */
export function withDeadline<T>(
  work: (signal: AbortSignal) => Promise<T>,
  {
    seconds,
    signal,
    late = () => new DeadlinePassed("there was no answer in time"),
  }: { seconds: number; signal?: AbortSignal | undefined; late?: (() => Error) | undefined },
): Promise<T> {
  const { promise, resolve, reject } = withResolvers<T>();
  const controller = new AbortController();
  function end(reason: unknown): void {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
    reject(reason);
    controller.abort(reason);
  }
  const timer = setTimeout(() => end(late()), seconds * 1000);
  const stop = (): void => end(signal?.reason);
  if (signal?.aborted === true) stop();
  else {
    signal?.addEventListener("abort", stop, { once: true });
    // In a function of its own: what it throws at once is a rejection too.
    const working = (async () => work(controller.signal))();
    void working.then(resolve, reject).then(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    });
  }
  return promise;
}

/** As `Promise.withResolvers`, which Node 20 does not have. */
function withResolvers<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((...functions) => ([resolve, reject] = functions));
  return { promise, resolve, reject };
}
