/** `rotations.ts` as a process, measured in rounds like the servers. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { EmbeddedPostgres } from "@daykey/local/embedded-postgres";
import type { ServerCore } from "./cores.ts";
import type { RotationOrder, RotationResult } from "./rotations.ts";
import { type Measured, median, type Plan, type Turn } from "./rounds.ts";

const PROGRAM = fileURLToPath(new URL("./rotations.ts", import.meta.url));

export async function compareRotations({
  cluster,
  database,
  core,
  plan,
}: {
  cluster: EmbeddedPostgres;
  database: string;
  core: ServerCore;
  plan: Plan;
}): Promise<{ statement: Measured; transaction: Measured }> {
  const [command, ...args] = [...core, process.execPath, PROGRAM];
  const child = spawn(command, args, {
    env: {
      PATH: process.env["PATH"],
      DATABASE_URL: cluster.url(database, "daykey_app"),
      OWNER_DATABASE_URL: cluster.url(database, "daykey_owner"),
    },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  try {
    await message(child);
    const order = async (by: RotationOrder["by"], seconds: number): Promise<Turn> => {
      child.send({ by, seconds } satisfies RotationOrder);
      const { answers, seconds: took, cpuMicroseconds } = (await message(child)) as RotationResult;
      return { perSecond: answers / took, cpuMicroseconds };
    };
    const rounds: Record<RotationOrder["by"], Turn[]> = { statement: [], transaction: [] };
    for (const by of ["statement", "transaction"] as const) await order(by, plan.warmUpSeconds);
    for (let round = 0; round < plan.rounds; round++) {
      for (const by of ["statement", "transaction"] as const) {
        rounds[by].push(await order(by, plan.seconds));
      }
    }
    return {
      statement: measured("Daykey: one statement, in groups", rounds.statement),
      transaction: measured("knex: select, then update, in a transaction", rounds.transaction),
    };
  } finally {
    child.kill("SIGTERM");
  }
}

async function message(child: ChildProcess): Promise<unknown> {
  const told = new AbortController();
  const ended = once(child, "exit", { signal: told.signal }).then(() => {
    throw new Error("the process of the rotations ended");
  });
  try {
    const [first] = (await Promise.race([once(child, "message"), ended])) as [unknown];
    return first;
  } finally {
    told.abort();
  }
}

function measured(name: string, rounds: Turn[]): Measured {
  return {
    name,
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
    cpuMicroseconds: median(rounds.map(({ cpuMicroseconds }) => cpuMicroseconds)),
    rounds,
  };
}
