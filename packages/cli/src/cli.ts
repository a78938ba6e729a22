/** What every command is given: the terminal, the global options, and the ways to a credential. */
import type { Clock } from "@daykey/common/clock";
import { showCertificate } from "./certificate.ts";
import { CliError, EXIT, usageError } from "./exit.ts";
import {
  type CredentialOptions,
  findCredential,
  type Found,
  type Role,
} from "./find-credential.ts";
import { json } from "./output.ts";
import type { ProfileStore } from "./profile.ts";
import type { Terminal } from "./terminal.ts";

export interface GlobalOptions extends CredentialOptions {
  json?: true | undefined;
  allowHttp?: true | undefined;
}

export interface Cli {
  terminal: Terminal;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  /** Epoch seconds. */
  clock: Clock;
  wait: (seconds: number) => Promise<void>;
  store: ProfileStore;
  globals: () => GlobalOptions;
}

/** @throws {CliError} */
export async function find(cli: Cli, role: Role): Promise<Found> {
  const { env, cwd, store } = cli;
  const found = await findCredential(role, { options: cli.globals(), env, cwd, store });
  await showCertificate(found, { cwd, env });
  return found;
}

/** Whether secrets may travel over plain http to other machines. */
export function insecure({ globals, env }: Cli): { allowInsecureRequests: boolean } {
  const fromEnv = env["DAYKEY_ALLOW_HTTP"] === "true";
  return { allowInsecureRequests: globals().allowHttp === true || fromEnv };
}

/** The result: as it was answered with --json, else as `human` writes it. */
export function show(cli: Cli, value: unknown, human: () => string): void {
  cli.terminal.print(cli.globals().json ? json(value) : human());
}

/** A hint for a person: what to do next. Nothing with --json. */
export function hint(cli: Cli, line: string): void {
  if (!cli.globals().json) cli.terminal.note(cli.terminal.paintNote("dim", line));
}

/** What is good to know on a terminal, and noise anywhere else. */
export function aside(cli: Cli, line: string): void {
  if (cli.terminal.isWatched) hint(cli, line);
}

/** @throws {CliError} unless the person agrees, or has agreed with --yes */
export async function confirm(cli: Cli, question: string, yes: true | undefined): Promise<void> {
  if (yes) return;
  if (!cli.terminal.canAsk) {
    throw usageError("This cannot be undone, and there is nobody to ask", "Add --yes to do it.");
  }
  if (!(await cli.terminal.ask(question))) {
    throw new CliError(EXIT.refused, "Nothing was changed");
  }
}
