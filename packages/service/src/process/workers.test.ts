/** An instance with two workers as its operator sees it: one address, whatever becomes of either. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, expect, test } from "vitest";

import { scrape } from "../../test/metrics.ts";

/** Makes a process that hears SIGUSR2 warn as the runtime does of a URL; the word is not in its frame. */
const WARNING = `data:text/javascript,process.on("SIGUSR2",()=>process.emitWarning("http:can"+"ary",{type:"DeprecationWarning",code:"DEP0170"}))`;
const PROGRAM = fileURLToPath(new URL("../../test/workers-process.ts", import.meta.url));

let folder: string;
let fault: string;
let child: ChildProcess;
let output: string;
let errors: string;
let ended: Promise<number | null>;
let url: string;
let privateUrl: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "daykey-workers-"));
  fault = join(folder, "fault");
});
afterAll(async () => {
  child.kill("SIGTERM");
  await ended;
  await rm(folder, { recursive: true });
});

function run(): void {
  child = spawn(process.execPath, ["--import", WARNING, PROGRAM], {
    env: { ...process.env, WITH_FAULT: fault },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  output = "";
  errors = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (errors += text));
  ended = once(child, "exit").then(([code]) => code as number | null);
}

async function start(): Promise<void> {
  run();
  await expect.poll(() => output, SLOW).toContain('"publicPort"');
  const [, publicPort, privatePort] = /"publicPort":(\d+),"privatePort":(\d+)/.exec(output) ?? [];
  url = `http://127.0.0.1:${publicPort}`;
  privateUrl = `http://127.0.0.1:${privatePort}`;
}

/** The worker that answered; on a connection of its own it is the next one. */
function pid({ query = "", agent = new Agent() } = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    get(`${url}/pid${query}`, { agent, timeout: 10_000 }, (res) => {
      let text = "";
      res.on("data", (part: Buffer) => (text += part.toString()));
      res.on("end", () => resolve((JSON.parse(text) as { pid: number }).pid));
      res.on("error", reject);
    })
      .on("timeout", () => reject(new Error("no answer")))
      .on("error", reject);
  });
}

async function pids(): Promise<number[]> {
  const all = await Promise.all(Array.from({ length: 6 }, () => pid()));
  return [...new Set(all)].toSorted((a, b) => a - b);
}

/** Sends requests until told to stop, half of them on connections of their own; what became of them. */
function startLoad(parallel: number) {
  let isOver = false;
  const result = { answered: 0, failures: [] as unknown[] };
  const loops = Array.from({ length: parallel }, async (_, number) => {
    const agent = new Agent({ keepAlive: number % 2 === 0, maxSockets: 1 });
    while (!isOver) {
      await pid({ agent }).then(
        () => (result.answered += 1),
        (error: unknown) => result.failures.push(error),
      );
    }
  });
  return {
    async stop() {
      isOver = true;
      await Promise.all(loops);
      return result;
    },
  };
}

const workersInMetrics = async (): Promise<number[]> => {
  const starts = (await scrape(privateUrl)).values("process_start_time_seconds");
  return Object.keys(starts).map((labels) => Number(/worker="(\d)"/.exec(labels)?.[1]));
};
const getPrivate = async (path: string) => {
  const headers = { Connection: "close" };
  const response = await fetch(privateUrl + path, { headers, signal: AbortSignal.timeout(3000) });
  return [response.status, await response.json()];
};

const SLOW = { timeout: 60_000 };
const VERY_SLOW = { timeout: 100_000 };

test("two workers share a port, and any of them answers for both", async () => {
  await start();
  await expect.poll(pids, SLOW).toHaveLength(2);
  await expect.poll(workersInMetrics, SLOW).toEqual([1, 2]);
  for (let times = 0; times < 3; times++) expect(await workersInMetrics()).toEqual([1, 2]);
  const text = await (await fetch(`${privateUrl}/metrics`)).text();
  const heads = text.split("\n").filter((line) => line.startsWith("# TYPE "));
  expect(new Set(heads).size).toBe(heads.length);
  expect(await getPrivate("/readyz")).toEqual([200, { status: "ready" }]);
  expect(await getPrivate("/livez")).toEqual([200, { status: "alive" }]);
});

test("what the runtime warns of is a line of the log, without its text, and nothing else", async () => {
  const [warned = 0] = await pids();
  process.kill(warned, "SIGUSR2");
  await expect.poll(() => output, SLOW).toContain("runtime_warning");
  const line = output.split("\n").find((text) => text.includes("runtime_warning")) ?? "";
  expect(JSON.parse(line)).toMatchObject({
    level: "warn",
    event: "runtime_warning",
    pid: warned,
    warning: "DeprecationWarning",
    err: { code: "DEP0170" },
  });
  expect(line).not.toContain("canary");
  // Nor was anything printed at the start.
  expect(errors).toBe("");
});

test("a worker that is killed takes its own requests with it and no other, and is replaced", async () => {
  const [victim = 0, survivor = 0] = await pids();
  const parallel = 8;
  const load = startLoad(parallel);
  await expect.poll(() => output.length, SLOW).toBeGreaterThan(100_000);
  process.kill(victim, "SIGKILL");
  await expect.poll(workersInMetrics, SLOW).toEqual([1, 2]);
  const { answered, failures } = await load.stop();
  expect(failures.length).toBeLessThanOrEqual(parallel);
  expect(answered).toBeGreaterThan(parallel);
  const after = await pids();
  expect([after.length, after.includes(victim), after.includes(survivor)]).toEqual([
    2,
    false,
    true,
  ]);
  expect(output).toContain('"event":"worker_ended"');
});

test("SIGHUP under load replaces both workers and fails no request", async () => {
  const before = await pids();
  const load = startLoad(8);
  child.kill("SIGHUP");
  await expect.poll(() => output, SLOW).toContain('"event":"reloaded"');
  const { answered, failures } = await load.stop();
  expect(failures).toEqual([]);
  expect(answered).toBeGreaterThan(100);
  const after = await pids();
  expect(after).toHaveLength(2);
  expect(after.filter((worker) => before.includes(worker))).toEqual([]);
  // L3: lines of both, more than a write together, are whole.
  const lines = output.trimEnd().split("\n");
  expect(() => lines.map((line) => JSON.parse(line) as unknown)).not.toThrow();
});

test.each([
  ["settings", '"outcome":"ended","failure":"The settings cannot be used:\\n  a fault"'],
  ["start", '"outcome":"ended","failure":"The settings cannot be used:\\n  a fault"'],
  ["hang", '"outcome":"late"'],
  ["unready", '"outcome":"ended","failure":"It is not ready after 4 s: thing: not there"'],
  ["program", '"outcome":"ended","failure":"it cannot be made (ENOENT)"'],
])(
  "a reload with a fault in %s leaves the old workers and says why; mended, the next one works",
  async (kind, told) => {
    const before = await pids();
    const begun = output.length;
    await writeFile(fault, kind);
    child.kill("SIGHUP");
    await expect.poll(() => output.slice(begun), VERY_SLOW).toContain('"event":"reload_failed"');
    expect(output.slice(begun)).toContain(told);
    // One that is slow says for what it waits, before its time is over.
    const waits = '"event":"worker_waits","worker":1,"fault":"thing: not there"';
    expect(output.slice(begun).includes(waits)).toBe(kind === "unready");
    expect(await pids()).toEqual(before);
    await rm(fault);
    child.kill("SIGHUP");
    await expect.poll(() => output.slice(begun), VERY_SLOW).toContain('"event":"reloaded"');
    await expect.poll(pids, SLOW).toHaveLength(2);
    expect((await pids()).filter((worker) => before.includes(worker))).toEqual([]);
  },
  200_000,
);

test("workers that end while their settings are faulty are replaced once these are mended", async () => {
  const [victim = 0, survivor] = await pids();
  const begun = output.length;
  await writeFile(fault, "settings");
  process.kill(victim, "SIGKILL");
  const failures = () => output.slice(begun).split('"failure":"The settings').length - 1;
  await expect.poll(failures, VERY_SLOW).toBeGreaterThan(2);
  expect(await pids()).toEqual([survivor]);
  await rm(fault);
  await expect.poll(pids, VERY_SLOW).toHaveLength(2);
}, 200_000);

test("a worker that cannot be made is tried again", async () => {
  const [victim = 0, survivor] = await pids();
  const begun = output.length;
  await writeFile(fault, "program");
  process.kill(victim, "SIGKILL");
  await expect.poll(() => output.slice(begun), SLOW).toContain("cannot be made (ENOENT)");
  expect(await pids()).toEqual([survivor]);
  await rm(fault);
  await expect.poll(pids, VERY_SLOW).toHaveLength(2);
}, 200_000);

test("a worker that is frozen is told of, ended and replaced", async () => {
  const [victim = 0, survivor] = await pids();
  process.kill(victim, "SIGSTOP");
  await expect.poll(() => output, VERY_SLOW).toContain(`"workerPid":${victim}`);
  await expect.poll(workersInMetrics, SLOW).toEqual([1, 2]);
  const after = await pids();
  expect([after.length, after.includes(victim), after.includes(survivor ?? 0)]).toEqual([
    2,
    false,
    true,
  ]);
}, 200_000);

test("SIGTERM drains both workers, and the instance ends with 0", async () => {
  const slow = Promise.all([1, 2].map(() => pid({ query: "?ms=600" })));
  await pid();
  child.kill("SIGTERM");
  await expect.poll(() => output).toContain('"cause":"SIGTERM"');
  const stopping = { status: "not ready", faults: { server: "stopping" } };
  expect(await getPrivate("/readyz")).toEqual([503, stopping]);
  expect(await slow).toHaveLength(2);
  expect(await ended).toBe(0);
});

test("an instance with a worker that does not answer is neither alive nor ready, until another takes its place; one whose workers all end at once ends with 1", async () => {
  await start();
  await expect.poll(pids, SLOW).toHaveLength(2);
  void fetch(`${url}/hang`, { method: "POST" }).catch(() => {});
  // Every other connection is for the one that hangs.
  const untilAnswered = (path: string) => getPrivate(path).catch(() => getPrivate(path));
  const lives = { status: "a worker does not answer" };
  await expect.poll(() => untilAnswered("/livez"), SLOW).toEqual([503, lives]);
  const [status, body] = await untilAnswered("/readyz");
  const { faults } = body as { faults: object };
  expect([status, Object.values(faults)]).toEqual([503, ["does not answer"]]);

  await expect.poll(() => output, VERY_SLOW).toContain('"event":"worker_silent"');
  await expect.poll(() => untilAnswered("/livez"), SLOW).toEqual([200, { status: "alive" }]);

  await expect.poll(pids, SLOW).toHaveLength(2);
  const workers = await pids();
  await writeFile(fault, "settings");
  for (const worker of workers) process.kill(worker, "SIGKILL");
  expect(await ended).toBe(1);
  expect(output).toContain('"event":"workers_failed"');
  expect(errors).toContain("a fault");
}, 300_000);

test.each(["settings", "start"])(
  "what is wrong in %s at the start is said once, and the instance ends with 1",
  async (kind) => {
    await writeFile(fault, kind);
    run();
    expect(await ended).toBe(1);
    expect(errors).toBe("The settings cannot be used:\n  a fault\n");
  },
);
