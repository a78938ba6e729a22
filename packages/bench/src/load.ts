/** Load on a server: as much as it takes (closed loop), or at a constant rate (open loop). */
import { type Connection, openConnection } from "./connection.ts";

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

/** @throws {Error} for an answer that is no success: what fails is no measure of anything */
function requireSuccess(status: number, body: string): void {
  if (status < 200 || status > 299) throw new Error(`answered with ${status}: ${body}`);
}

/**
 * Each connection sends its next request as soon as the last is answered. Ends when all that were sent
 * within `seconds` are answered.
 */
export function saturate(
  { port, scripts }: Target,
  seconds: number,
): Promise<{ answers: number; seconds: number }> {
  return new Promise((resolve, reject) => {
    const connections: Connection[] = [];
    const startedAt = performance.now();
    const endAt = startedAt + seconds * 1000;
    let answers = 0;
    let busy = scripts.length;

    function end(error?: Error): void {
      for (const connection of connections) connection.close();
      if (error === undefined)
        resolve({ answers, seconds: (performance.now() - startedAt) / 1000 });
      else reject(error);
    }

    for (const script of scripts) {
      const connection = openConnection({
        port,
        onAnswer(status, body) {
          try {
            requireSuccess(status, body);
            script.answered?.(body);
          } catch (error) {
            return end(error as Error);
          }
          answers += 1;
          if (performance.now() < endAt) connection.send(script.next());
          else if (--busy === 0) end();
        },
        onError: end,
      });
      connections.push(connection);
      connection.send(script.next());
    }
  });
}

/**
 * Sends at a constant rate, whether or not answers come, and returns every latency in milliseconds,
 * ascending. A latency counts from the instant a request was due, so that a server that stalls is
 * charged for all who would have come meanwhile (no coordinated omission).
 */
export function pace(
  { port, scripts }: Target,
  { ratePerSecond, seconds }: { ratePerSecond: number; seconds: number },
): Promise<Float64Array> {
  return new Promise((resolve, reject) => {
    const total = Math.floor(ratePerSecond * seconds);
    const latencies = new Float64Array(total);
    const connections: Connection[] = [];
    const free: { script: Script; connection: Connection; dueAt: number }[] = [];
    const startedAt = performance.now() + 50;
    let sent = 0;
    let answered = 0;
    let isOver = false;

    function end(error?: Error): void {
      if (isOver) return;
      isOver = true;
      for (const connection of connections) connection.close();
      if (error === undefined) resolve(latencies.toSorted());
      else reject(error);
    }

    function sendDue(): void {
      const due = Math.min(total, ((performance.now() - startedAt) / 1000) * ratePerSecond);
      while (sent < due) {
        const lane = free.pop();
        if (lane === undefined) break;
        lane.dueAt = startedAt + (sent / ratePerSecond) * 1000;
        sent += 1;
        lane.connection.send(lane.script.next());
      }
      // A timer would be a millisecond late; this core has nothing else to do.
      if (!isOver && sent < total) setImmediate(sendDue);
    }

    for (const script of scripts) {
      const connection = openConnection({
        port,
        onAnswer(status, body) {
          try {
            requireSuccess(status, body);
            script.answered?.(body);
          } catch (error) {
            return end(error as Error);
          }
          latencies[answered] = performance.now() - lane.dueAt;
          answered += 1;
          free.push(lane);
          if (answered === total) end();
        },
        onError: end,
      });
      const lane = { script, connection, dueAt: 0 };
      connections.push(connection);
      free.push(lane);
    }
    sendDue();
  });
}

/** The value below which the part `p` of ascending values lies. */
export function percentile(ascending: Float64Array, p: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * p))] ?? NaN;
}
