/** The result as tables for people. */
import type { Measurements } from "./measure-all.ts";
import type { Measured } from "./rounds.ts";
import { isMet, type Target } from "./targets.ts";

export interface Result {
  /** `YYYY-MM-DD`. */
  date: string;
  machine: string;
  plan: string;
  targets: readonly Target[];
  measurements: Measurements;
}

export function formatReport({ date, machine, plan, targets, measurements }: Result): string {
  const { growth } = measurements;
  return [
    `Measured on ${date}: ${machine}. ${plan}`,
    "### Targets",
    table(
      ["What", "Target", "Measured", "Met"],
      targets.map((target) => [
        target.what,
        target.atLeast === undefined
          ? target.atMost === undefined
            ? ""
            : `≤ ${target.atMost}`
          : `≥ ${target.atLeast}`,
        target.measured === null ? "not measured" : digits(target.measured),
        { true: "yes", false: "no", undefined: "" }[String(isMet(target))] ?? "",
      ]),
    ),
    "### Tokens",
    rates(measurements.tokens),
    "### Refreshes",
    rates([...measurements.rotations, ...measurements.refreshes]),
    "### Introspection",
    rates(measurements.introspections),
    "### Validations",
    rates(measurements.validations),
    "### Latency at 70 % of the maximum",
    table(
      ["What", "Requests/s", "p50 ms", "p95 ms", "p99 ms", "max ms"],
      measurements.latencies.map((latency) => [
        latency.name,
        whole(latency.ratePerSecond),
        digits(latency.p50Milliseconds),
        digits(latency.p95Milliseconds),
        digits(latency.p99Milliseconds),
        digits(latency.maxMilliseconds),
      ]),
    ),
    "### Primes",
    table(
      ["A prime of", "Daykey, a whole request, ms", "Python, 40 rounds, ms"],
      measurements.primes.map(({ bits, daykeyMicroseconds, pythonMicroseconds }) => [
        `${bits} bits`,
        digits(daykeyMicroseconds / 1000),
        pythonMicroseconds === null ? "no python3" : digits(pythonMicroseconds / 1000),
      ]),
    ),
    `### ${growth.tokens} tokens`,
    table(
      ["What", "Before", "After a quarter", "half", "three quarters", "all"],
      [
        ["Memory of the process, MB", ...growth.rssBytes.map(megabytes)],
        [
          "Size of the database, MB",
          megabytes(growth.databaseBytesBefore),
          "",
          "",
          "",
          megabytes(growth.databaseBytesAfter),
        ],
      ],
    ),
    "### Start",
    table(
      ["What", "From the start to the first answer, s", "Memory then, MB"],
      measurements.starts.map(({ name, seconds, rssBytes }) => [
        name,
        seconds.toFixed(2),
        megabytes(rssBytes),
      ]),
    ),
  ].join("\n\n");
}

function rates(list: readonly Measured[]): string {
  return table(
    ["What", "A second", "CPU of the server, µs each"],
    list.map(({ name, perSecond, cpuMicroseconds }) => [
      name,
      whole(perSecond),
      whole(cpuMicroseconds),
    ]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = line(head.map((_, column) => (column === 0 ? "---" : "--:")));
  return [line(head), rule, ...rows.map(line)].join("\n");
}

const whole = (value: number): string => String(Math.round(value));

/** Three digits that say something. */
function digits(value: number): string {
  return value === 0 ? "0" : String(Number(value.toPrecision(3)));
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

const BEGIN = "<!-- figures of `npm run bench` -->";
const END = "<!-- end of the figures -->";

/** The document with its figures replaced. @throws {Error} when their place is not marked */
export function withFigures(document: string, figures: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`the document has no place marked "${BEGIN}"`);
  return `${document.slice(0, begin + BEGIN.length)}\n\n${figures}\n\n${document.slice(end)}`;
}
