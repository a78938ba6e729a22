/** Primes: whole requests to the resource-server, one after another, and Python's usual function alone. */
import { spawnSync } from "node:child_process";
import { generatePrimeSync } from "node:crypto";
import { fileURLToPath } from "node:url";
import { median } from "./rounds.ts";
import type { ServerProcess } from "./server-process.ts";

const PROGRAM = fileURLToPath(new URL("../peers/miller_rabin.py", import.meta.url));

export interface PrimeRow {
  bits: number;
  /** The median time for a prime of this length, in microseconds; null without python3. */
  daykeyMicroseconds: number;
  pythonMicroseconds: number | null;
}

/** @param options.count primes of each length, each asked once, so that no cache knows it */
export async function measurePrimes({
  server,
  token,
  lengths,
  count,
}: {
  server: ServerProcess;
  token: string;
  lengths: readonly number[];
  count: number;
}): Promise<PrimeRow[]> {
  // Making primes and asking Python block this process for longer than the server keeps a connection.
  const rows = lengths.map((bits) => ({
    bits,
    primes: Array.from({ length: count }, () => generatePrimeSync(bits, { bigint: true })),
    took: [] as number[],
  }));
  for (const { bits, primes, took } of rows) {
    for (const prime of primes) {
      const startedAt = performance.now();
      const answer = await fetch(`http://127.0.0.1:${server.port}/primes/${prime}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      const { prime: isPrime } = (await answer.json()) as { prime?: boolean };
      took.push((performance.now() - startedAt) * 1000);
      if (isPrime !== true) throw new Error(`a prime of ${bits} bits was answered otherwise`);
    }
  }
  return rows.map(({ bits, primes, took }) => ({
    bits,
    daykeyMicroseconds: median(took),
    pythonMicroseconds: timeInPython(primes),
  }));
}

function timeInPython(primes: readonly bigint[]): number | null {
  const input = JSON.stringify(primes.map(String));
  const { status, stdout } = spawnSync("python3", [PROGRAM], { input, encoding: "utf8" });
  return status === 0 ? median(JSON.parse(stdout) as number[]) : null;
}
