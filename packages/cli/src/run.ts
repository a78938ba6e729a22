/** One run of the program: parse, do, and tell what went wrong in one place. */
import { readFile } from "node:fs/promises";
import { CommanderError } from "@commander-js/extra-typings";
import type { Cli } from "./cli.ts";
import { withDashedArguments } from "./dashed-arguments.ts";
import { CliError, EXIT, type ExitCode } from "./exit.ts";
import { explain } from "./explain.ts";
import { json, printable, withoutSecrets } from "./output.ts";
import { createProgram } from "./program.ts";
import { useProxy } from "./proxy.ts";
import { explainUsage } from "./usage-faults.ts";

/** Resolves with the exit code. Never throws. */
export async function run(argv: readonly string[], parts: Omit<Cli, "globals">): Promise<ExitCode> {
  const { terminal } = parts;
  const verdict = await attempt(argv, parts);
  const { outputFault } = terminal;
  // Whoever read has gone, as in `daykey audit tail | head`: no fault, and no better verdict either.
  if (outputFault === undefined || outputFault === "EPIPE" || verdict !== EXIT.ok) return verdict;
  const message = `Standard output cannot be written (${outputFault}); what was done stays done`;
  tell(new CliError(EXIT.output, message), parts);
  return EXIT.output;
}

async function attempt(argv: readonly string[], parts: Omit<Cli, "globals">): Promise<ExitCode> {
  const { terminal } = parts;
  const program = await createProgram(parts, await version(), argv);
  try {
    await useProxy(parts.env);
    await program.parseAsync(withDashedArguments(program, argv), { from: "user" });
    return EXIT.ok;
  } catch (error) {
    terminal.clear();
    // Help and version were written already, and a group without a command shows its help.
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    if (error instanceof CommanderError && error.code === "commander.help") return EXIT.usage;
    const told =
      error instanceof CommanderError ? explainUsage(error, program, argv) : explain(error);
    if (program.opts()["json"] === true) terminal.note(json(jsonOf(told)).trimEnd());
    else tell(told, parts);
    return told.exitCode;
  }
}

function tell({ message, hint }: CliError, { terminal }: Pick<Cli, "terminal">): void {
  terminal.note(`${terminal.paintNote("red", "daykey:")} ${printable(withoutSecrets(message))}`);
  if (hint !== undefined) terminal.note(terminal.paintNote("dim", printable(hint)));
}

/** On standard error too: standard output holds results alone. */
function jsonOf({ message, hint, exitCode, answer }: CliError): object {
  return { error: { message: withoutSecrets(message), hint, exit_code: exitCode, answer } };
}

async function version(): Promise<string> {
  const text = await readFile(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
