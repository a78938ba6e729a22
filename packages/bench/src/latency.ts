/** Latency while a server does 70 % of what it can: requests come at a constant rate, come what may. */
import { pace, percentile, saturate } from "./load.ts";
import { type Contender, median } from "./rounds.ts";

export interface Latency {
  name: string;
  ratePerSecond: number;
  p50Milliseconds: number;
  p95Milliseconds: number;
  p99Milliseconds: number;
  maxMilliseconds: number;
}

const PART_OF_MAXIMUM = 0.7;

/** @returns medians over the rounds, each of its own maximum */
export async function measureLatency(
  contender: Contender,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Latency> {
  const measured: { ratePerSecond: number; latencies: Float64Array }[] = [];
  for (let round = 0; round < rounds; round++) {
    await contender.prepare?.(seconds);
    const { answers, seconds: took } = await saturate(contender, seconds / 2);
    await contender.prepare?.(seconds);
    const ratePerSecond = (answers / took) * PART_OF_MAXIMUM;
    measured.push({ ratePerSecond, latencies: await pace(contender, { ratePerSecond, seconds }) });
  }
  const medianOf = (p: number): number =>
    median(measured.map(({ latencies }) => percentile(latencies, p)));
  return {
    name: contender.name,
    ratePerSecond: median(measured.map(({ ratePerSecond }) => ratePerSecond)),
    p50Milliseconds: medianOf(0.5),
    p95Milliseconds: medianOf(0.95),
    p99Milliseconds: medianOf(0.99),
    maxMilliseconds: medianOf(1),
  };
}
