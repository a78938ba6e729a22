/** Load on a server: as much as it takes (closed loop), or at a constant rate (open loop). */
import { openConnection } from "./connection.ts";

/** What one connection sends, and what it learns from the answers. */
export interface Script {
  next(): Buffer;
  answered?(body: string): void;
}

export interface Target {
  port: number;
  /** One for each connection. */
  scripts: readonly Script[];
}

/**
 * Opens a connection for each script.
 * @param options.onAnswer is given the connection's place, after its script; its error ends the load
 * @param options.onEnd told once, with the error if it was one
 */
function openAll(
  { port, scripts }: Target,
  { onAnswer, onEnd }: { onAnswer: (index: number) => void; onEnd: (error?: Error) => void },
): { send(index: number): void; end(error?: Error): void } {
  let isOver = false;
  function end(error?: Error): void {
    if (isOver) return;
    isOver = true;
    for (const connection of connections) connection.close();
    onEnd(error);
  }
  const connections = scripts.map((script, index) =>
    openConnection({
      port,
      onAnswer(status, body) {
        try {
          // What fails is no measure of anything.
          if (status < 200 || status > 299) throw new Error(`answered with ${status}: ${body}`);
          script.answered?.(body);
          onAnswer(index);
        } catch (error) {
          end(error as Error);
        }
      },
      onError: end,
    }),
  );
  function send(index: number): void {
    try {
      const script = scripts[index] as Script;
      connections[index]?.send(script.next());
    } catch (error) {
      end(error as Error);
    }
  }
  return { send, end };
}

/**
 * Each connection sends its next request as soon as the last is answered. Ends when all that were sent
 * within `seconds` are answered.
 * @throws {Error} for an answer that is no success
 */
export function saturate(
  target: Target,
  seconds: number,
): Promise<{ answers: number; seconds: number }> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const endAt = startedAt + seconds * 1000;
    let answers = 0;
    let busy = target.scripts.length;
    const load = openAll(target, {
      onAnswer(index) {
        answers += 1;
        if (performance.now() < endAt) load.send(index);
        else if (--busy === 0) load.end();
      },
      onEnd(error) {
        if (error === undefined)
          resolve({ answers, seconds: (performance.now() - startedAt) / 1000 });
        else reject(error);
      },
    });
    target.scripts.forEach((_, index) => load.send(index));
  });
}

/** How long the load sleeps between two looks at what is due, in milliseconds: PostgreSQL has the same core. */
const NAP_MS = 0.1;
const napping = new Int32Array(new SharedArrayBuffer(4));

/**
 * Sends at a constant rate, whether or not answers come, and returns every latency in milliseconds,
 * ascending. A latency counts from the instant a request was due, so that a server that stalls is
 * charged for all who would have come meanwhile (no coordinated omission).
 * @throws {Error} for an answer that is no success
 */
export function pace(
  target: Target,
  { ratePerSecond, seconds }: { ratePerSecond: number; seconds: number },
): Promise<Float64Array> {
  return new Promise((resolve, reject) => {
    const total = Math.floor(ratePerSecond * seconds);
    const latencies = new Float64Array(total);
    const free = target.scripts.map((_, index) => index);
    const dueAt = new Float64Array(free.length);
    const startedAt = performance.now() + 50;
    let sent = 0;
    let answered = 0;
    let isOver = false;

    function sendDue(): void {
      if (isOver) return;
      const due = Math.min(total, ((performance.now() - startedAt) / 1000) * ratePerSecond);
      while (sent < due) {
        const index = free.pop();
        if (index === undefined) break;
        dueAt[index] = startedAt + (sent / ratePerSecond) * 1000;
        sent += 1;
        load.send(index);
      }
      if (sent === total) return;
      // A timer would be a millisecond late.
      Atomics.wait(napping, 0, 0, NAP_MS);
      setImmediate(sendDue);
    }

    const load = openAll(target, {
      onAnswer(index) {
        latencies[answered] = performance.now() - (dueAt[index] ?? NaN);
        answered += 1;
        free.push(index);
        if (answered === total) load.end();
      },
      onEnd(error) {
        isOver = true;
        if (error === undefined) resolve(latencies.toSorted());
        else reject(error);
      },
    });
    sendDue();
  });
}

/** The value below which the part `p` of ascending values lies. */
export function percentile(ascending: Float64Array, p: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * p))] ?? NaN;
}
