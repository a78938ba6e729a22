/**
 * `npm run bench:primes`: how a resource-server's event loop fares beside 50 primes
 * of 4,096 bits at once (assurance D5: p99 under 50 ms), a batch of the largest size, and searches for
 * the next prime. A program of its own, as it takes both cores for minutes.
 */
import { createDiffieHellmanGroup } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { startAuthServer, startPostgres, startResourceServer } from "./daykey.ts";
import { stopServers } from "./server-process.ts";
import { accessTokens } from "./validations.ts";

const PRIME = BigInt(`0x${createDiffieHellmanGroup("modp16").getPrime("hex")}`);
const LARGEST = (1n << 4096n) - 1n;
const SECONDS = 20;

const cluster = await startPostgres();
try {
  const auth = await startAuthServer({ cluster, algorithm: "ES256", core: [] });
  const { port, privatePort } = await startResourceServer(auth, []);
  const [token = ""] = await accessTokens(auth);
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const url = `http://127.0.0.1:${port}`;

  /** The status, or that we went away when our time was up. */
  const call = async (path: string, body?: string): Promise<number | "gone"> => {
    const request = { headers, signal: AbortSignal.timeout(SECONDS * 1000) };
    try {
      const options = body === undefined ? request : { ...request, method: "POST", body };
      const response = await fetch(url + path, options);
      await response.arrayBuffer();
      return response.status;
    } catch (error) {
      if (request.signal.aborted) return "gone";
      throw error;
    }
  };

  await besides("nothing", () => Promise.resolve([]));
  await besides("50 primes of 4,096 bits", () =>
    Promise.all(Array.from({ length: 50 }, () => call(`/primes/${PRIME}`))),
  );
  await besides("4 batches of 1,000 primes of 4,096 bits", () => {
    const body = `{"numbers":[${Array.from({ length: 1000 }, () => PRIME).join()}]}`;
    return Promise.all(Array.from({ length: 4 }, () => call("/primes", body)));
  });
  await besides("batches of 1,000 composites of 4,096 bits, one after another", async () => {
    const body = `{"numbers":[${Array.from({ length: 1000 }, () => LARGEST).join()}]}`;
    const statuses: (number | "gone")[] = [];
    for (let i = 0; i < 20; i++) statuses.push(await call("/primes", body));
    return statuses;
  });
  await besides("50 searches from 4,096 bits", () =>
    Promise.all(Array.from({ length: 50 }, (_, i) => call(`/primes/${PRIME - BigInt(i)}/next`))),
  );

  /** Calls /livez all the while, and asks the server for its event loop's delay. */
  async function besides(what: string, work: () => Promise<(number | "gone")[]>): Promise<void> {
    await loopDelay();
    let isDone = false;
    const working = work().finally(() => (isDone = true));
    const took: number[] = [];
    const deadline = performance.now() + (SECONDS + 5) * 1000;
    do {
      const startedAt = performance.now();
      await (await fetch(`${url}/livez`)).arrayBuffer();
      took.push(performance.now() - startedAt);
      await sleep(5);
    } while ((!isDone || took.length < 200) && performance.now() < deadline);
    took.sort((a, b) => a - b);
    const at = (part: number) => took[Math.floor((took.length - 1) * part)]?.toFixed(1);
    const statuses = Object.entries(Object.groupBy(await working, String));
    console.log(
      `${what}: /livez p50 ${at(0.5)} p99 ${at(0.99)} max ${at(1)} ms of ${took.length}; ` +
        `event loop ${await loopDelay()}; ` +
        `answers ${statuses.map(([status, all]) => `${all?.length}× ${status}`).join(", ") || "none"}`,
    );
  }

  async function loopDelay(): Promise<string> {
    const text = await (await fetch(`http://127.0.0.1:${privatePort}/metrics`)).text();
    const read = (name: string) =>
      (
        Number(
          new RegExp(`^nodejs_eventloop_lag_${name}_seconds\\S* (\\S+)$`, "m").exec(text)?.[1],
        ) * 1000
      ).toFixed(1);
    return `p99 ${read("p99")} max ${read("max")} ms`;
  }
} finally {
  await stopServers();
  await cluster.remove();
}
