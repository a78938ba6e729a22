/**
 * Measuring side by side: in each round every contender has its turn under the same load, so that
 * whatever else slows the machine slows all of them. Medians over the rounds, ratios within a round.
 */
import { saturate, type Target } from "./load.ts";
import type { ServerProcess } from "./server-process.ts";

export interface Contender extends Target {
  name: string;
  server: ServerProcess;
  /** Makes what a turn uses up. */
  prepare?(seconds: number): Promise<void>;
}

export interface Turn {
  perSecond: number;
  /** The server process's CPU time for one request. */
  cpuMicroseconds: number;
}

export interface Measured extends Turn {
  name: string;
  rounds: Turn[];
}

export interface Plan {
  rounds: number;
  seconds: number;
  /** Before the first round, so that all are compiled and their caches full. */
  warmUpSeconds: number;
}

export async function compare(contenders: readonly Contender[], plan: Plan): Promise<Measured[]> {
  const rounds = new Map<Contender, Turn[]>(contenders.map((contender) => [contender, []]));
  for (const contender of contenders) await turn(contender, plan.warmUpSeconds);
  for (let round = 0; round < plan.rounds; round++) {
    // Each begins once, so that none always comes after the same one.
    const first = round % contenders.length;
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      rounds.get(contender)?.push(await turn(contender, plan.seconds));
    }
  }
  return [...rounds].map(([{ name }, turns]) => ({
    name,
    perSecond: median(turns.map(({ perSecond }) => perSecond)),
    cpuMicroseconds: median(turns.map(({ cpuMicroseconds }) => cpuMicroseconds)),
    rounds: turns,
  }));
}

async function turn(contender: Contender, seconds: number): Promise<Turn> {
  await contender.prepare?.(seconds);
  const before = await contender.server.usage();
  const { answers, seconds: took } = await saturate(contender, seconds);
  const after = await contender.server.usage();
  return {
    perSecond: answers / took,
    cpuMicroseconds: (after.cpuMicroseconds - before.cpuMicroseconds) / answers,
  };
}

export function median(values: readonly number[]): number {
  const ascending = values.toSorted((a, b) => a - b);
  const middle = ascending.length / 2;
  const [low = NaN, high = NaN] = [ascending[Math.ceil(middle) - 1], ascending[Math.floor(middle)]];
  return (low + high) / 2;
}

/** How many times as many a second `a` does as `b`: the median of the rounds' ratios. */
export function ratio(a: Measured, b: Measured): number {
  return median(
    a.rounds.map(({ perSecond }, round) => perSecond / (b.rounds[round]?.perSecond ?? NaN)),
  );
}
