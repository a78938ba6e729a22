/** The command line of a server: one command, or its usage. */
import { OWN_MESSAGE } from "@daykey/common/own-message";
import { reportFailure } from "./peers.ts";

const LEFT_OPEN_SECONDS = 1;

/**
 * Runs the command that `argv` names, the first of `commands` without one. A failure the operator can
 * act on is one sentence on standard error; any other keeps its stack. Exit code 1 for a failure, 2
 * for an unknown command.
 */
export async function runCommandLine({
  argv,
  commands,
  usage,
}: {
  /** Without the program's name. */
  argv: readonly string[];
  commands: Readonly<Record<string, () => Promise<void>>>;
  usage: string;
}): Promise<void> {
  const name = argv[0] ?? Object.keys(commands)[0] ?? "";
  if (name === "--help" || name === "-h") {
    process.stdout.write(usage);
    return;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command || argv.length > 1) {
    process.stderr.write(usage);
    process.exitCode = 2;
    return;
  }
  try {
    await command();
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    process.exitCode = 1;
    reportFailure(isOwn(error) ? error.message : "an unexpected error");
    // What a failed start left open must not keep the process.
    setTimeout(() => process.exit(), LEFT_OPEN_SECONDS * 1000).unref();
  }
}

function explain(error: unknown): string {
  if (isOwn(error)) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function isOwn(error: unknown): error is Error {
  return error instanceof Error && OWN_MESSAGE in error;
}
