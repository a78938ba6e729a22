/** How the program ends: each exit code, and the one error that carries it to `main.ts`. */

export const EXIT = {
  ok: 0,
  refused: 1,
  usage: 2,
  unreachable: 3,
  faultsFound: 4,
  credential: 5,
  internal: 70,
  output: 74,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_CODES = `Exit codes:
  0    done
  1    refused by the server, or by you when asked
  2    the command line cannot be used as it is; plan: there is something to do
  3    the server cannot be reached, or cannot serve now: try again
  4    audit verify or doctor found faults, or an answer could not be verified
  5    the credential or profile cannot be used
  70   a defect of this program
  74   the result could not be written to standard output; what was done stays done
  130  interrupted (Ctrl-C)`;

/** What ends a command: one sentence, what to do about it, and the exit code. Never a secret. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: ExitCode;
  /** What to do about it, for a person. */
  readonly hint: string | undefined;
  /** For `--json`: what the server answered. */
  readonly answer: unknown;

  constructor(
    exitCode: ExitCode,
    message: string,
    { hint, answer, cause }: { hint?: string | undefined; answer?: unknown; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
    this.hint = hint;
    this.answer = answer;
  }
}

export function usageError(message: string, hint?: string): CliError {
  return new CliError(EXIT.usage, message, { hint });
}
