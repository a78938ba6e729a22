/**
 * `npm run bench`: Daykey and its peers side by side, in about nine minutes; brings the figures in
 * docs/explanation/benchmarks.md and docs/explanation/benchmarks.json up to date. `-- --quick` does everything once for a
 * moment, to see that it works, and prints the figures instead.
 */
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { takeCores } from "./cores.ts";
import { startPostgres } from "./daykey.ts";
import { describeMachine } from "./machine.ts";
import { FULL, measureAll, QUICK } from "./measure-all.ts";
import { formatReport, type Result, withFigures } from "./report.ts";
import { stopServers } from "./server-process.ts";
import { compareWithTargets } from "./targets.ts";

const ROOT = new URL("../../../", import.meta.url);
const DOCUMENT = fileURLToPath(new URL("docs/explanation/benchmarks.md", ROOT));
const DATA = fileURLToPath(new URL("docs/explanation/benchmarks.json", ROOT));

const { values } = parseArgs({ options: { quick: { type: "boolean", default: false } } });
const effort = values.quick ? QUICK : FULL;

const tell = (what: string): void => void process.stderr.write(`bench: ${what}\n`);
const core = values.quick ? [] : takeCores();
if (core.length === 0) tell("no process is pinned to a core");
if (spawnSync("python3", ["--version"]).status !== 0) tell("NO PYTHON3: its primes are skipped");

const cluster = await startPostgres();
const stopAll = async (): Promise<void> => {
  await stopServers();
  await cluster.remove();
};
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => void stopAll().finally(() => process.exit(1)));
}
try {
  const measurements = await measureAll({ cluster, core, effort, tell });
  await report({
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(core),
    plan: `${effort.rounds} rounds of ${effort.seconds} s each.`,
    targets: compareWithTargets(measurements),
    measurements,
  });
} finally {
  await stopAll();
}

async function report(result: Result): Promise<void> {
  const figures = formatReport(result);
  process.stdout.write(`${figures}\n`);
  if (values.quick) return;
  await writeFile(DOCUMENT, withFigures(await readFile(DOCUMENT, "utf8"), figures));
  await writeFile(DATA, `${JSON.stringify(result, null, 2)}\n`);
  spawnSync(fileURLToPath(new URL("node_modules/.bin/oxfmt", ROOT)), [DOCUMENT, DATA]);
}
