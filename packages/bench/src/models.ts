/**
 * `npm run models`: packages/bench/models/refresh.pml, checked exhaustively by SPIN. It is checked as it is, in each
 * of its worlds, and once for every break, which has to be found. `--quick` leaves out what takes more than a few seconds.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

interface Check {
  /** A part of its world, and perhaps a break. */
  macros: readonly string[];
  isBroken: boolean;
  /** A property of what must come to pass, under weak fairness. */
  isLiveness: boolean;
  isQuick: boolean;
}

interface Result {
  errors: number;
  states: number;
  seconds: number;
}

/** The worlds of the model, and the breaks that each of them has to show. */
const WORLDS = [
  {
    world: ["THEFT"],
    breaks: ["NO_LOCK", "NO_WINDOW", "REUSE_ONLY_REFUSED", "NEW_RETRY"],
    isLiveness: false,
    isQuick: true,
  },
  {
    world: ["ENDS"],
    breaks: ["ANSWER_BEFORE_COMMIT", "NO_LOOK", "EARLY_CLEAN_UP"],
    isLiveness: false,
    isQuick: false,
  },
  { world: ["RESTORE"], breaks: ["LOW_FLOOR"], isLiveness: false, isQuick: true },
  { world: ["CALM"], breaks: ["NO_RETRY"], isLiveness: true, isQuick: true },
] as const;

const BITS_OF_FAIRNESS = 4;

export const CHECKS: readonly Check[] = WORLDS.flatMap(({ world, breaks, isLiveness, isQuick }) => [
  { macros: world, isBroken: false, isLiveness, isQuick },
  ...breaks.map((broken) => ({
    macros: [...world, broken],
    isBroken: true,
    isLiveness,
    isQuick: true,
  })),
]);

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stdout}${stderr}`);
  return stdout;
}

/** Whether SPIN and a C compiler are here. */
export function canCheck(): boolean {
  return [
    ["spin", "-V"],
    ["cc", "--version"],
  ].every(([command = "", flag = ""]) => spawnSync(command, [flag]).status === 0);
}

/** @throws when the search was not exhaustive, so says nothing */
export function checkModel({ macros, isBroken, isLiveness, isQuick }: Check): Result {
  const folder = mkdtempSync(join(tmpdir(), "daykey-model-"));
  try {
    const source = fileURLToPath(new URL("../models/refresh.pml", import.meta.url));
    run("spin", ["-a", ...macros.map((macro) => `-D${macro}`), source], folder);
    const search = isLiveness ? [`-DNFAIR=${BITS_OF_FAIRNESS}`] : ["-DSAFETY", "-DNOCLAIM"];
    // A short search ends before the compiler has made it faster.
    const optimized = isQuick ? "-O0" : "-O2";
    run("cc", ["-w", optimized, "-DCOLLAPSE", ...search, "-o", "pan", "pan.c"], folder);
    const told = run("./pan", ["-m1000000", ...(isLiveness ? ["-a", "-f"] : [])], folder);
    const number = (pattern: RegExp): number => Number(pattern.exec(told)?.[1]);
    // A search that stopped early has found an error, or it is no search.
    if (!isBroken && /max search depth too small|Search not completed/.test(told)) {
      if (number(/errors: (\d+)/) === 0) throw new Error(`the search was cut short:\n${told}`);
    }
    return {
      errors: number(/errors: (\d+)/),
      states: number(/(\d+) states, stored/),
      seconds: number(/elapsed time ([\d.]+) seconds/) || 0,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The breaks that the model's own comment names. */
export function namedBreaks(): string[] {
  const text = readFileSync(new URL("../models/refresh.pml", import.meta.url), "utf8");
  const named = /has to be found:([^.]+)\./.exec(text)?.[1] ?? "";
  return named.match(/\b[A-Z]+(_[A-Z]+)+\b/g) ?? [];
}

function main(): void {
  if (!canCheck()) {
    console.error(
      "npm run models needs SPIN (Debian: apt-get install spin) and a C compiler (cc).",
    );
    process.exitCode = 1;
    return;
  }
  const isQuick = process.argv.includes("--quick");
  for (const check of CHECKS.filter((each) => each.isQuick || !isQuick)) {
    const { errors, states, seconds } = checkModel(check);
    const isRight = errors > 0 === check.isBroken;
    const verdict = errors > 0 ? "an error was found" : "holds";
    const name = check.macros.join(" ");
    console.log(
      `${isRight ? "ok  " : "FAIL"} ${name}: ${verdict}, ${states} states, ${seconds.toFixed(1)} s`,
    );
    if (!isRight) process.exitCode = 1;
  }
}

if (import.meta.main) main();
