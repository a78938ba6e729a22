/** Latency while a server does 70 % of what it can: requests come at a constant rate, come what may. */
import { pace, percentile, saturate } from "./load.ts";
import type { Contender } from "./rounds.ts";

export interface Latency {
  name: string;
  ratePerSecond: number;
  p50Milliseconds: number;
  p95Milliseconds: number;
  p99Milliseconds: number;
  maxMilliseconds: number;
}

const PART_OF_MAXIMUM = 0.7;

export async function measureLatency(contender: Contender, seconds: number): Promise<Latency> {
  await contender.prepare?.(seconds);
  const { answers, seconds: took } = await saturate(contender, seconds / 3);
  await contender.prepare?.(seconds);
  const ratePerSecond = (answers / took) * PART_OF_MAXIMUM;
  const latencies = await pace(contender, { ratePerSecond, seconds });
  return {
    name: contender.name,
    ratePerSecond,
    p50Milliseconds: percentile(latencies, 0.5),
    p95Milliseconds: percentile(latencies, 0.95),
    p99Milliseconds: percentile(latencies, 0.99),
    maxMilliseconds: percentile(latencies, 1),
  };
}
