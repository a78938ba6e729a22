/** The tree of commands, with what holds for all of them. */
import { Command } from "@commander-js/extra-typings";
import type { Cli } from "./cli.ts";
import type { AnyCommand } from "./command.ts";
import { apiKeysCommand } from "./commands/api-keys.ts";
import { auditCommand } from "./commands/audit.ts";
import { timeCommand } from "./commands/calls.ts";
import { clientKeysCommand } from "./commands/client-keys.ts";
import { clientsCommand } from "./commands/clients.ts";
import { completionCommand } from "./commands/completion.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { introspectCommand, revokeCommand } from "./commands/existing-token.ts";
import { keysCommand } from "./commands/keys.ts";
import { primeCommand } from "./commands/prime.ts";
import { profileCommand } from "./commands/profile.ts";
import { restoredCommand } from "./commands/restored.ts";
import { resourcesCommand } from "./commands/resources.ts";
import { secretsCommand } from "./commands/secrets.ts";
import { signUrlCommand } from "./commands/sign-url.ts";
import { signatureKeysCommand } from "./commands/signature-keys.ts";
import { usageCommand } from "./commands/usage.ts";
import { hashCommand, tokenCommand } from "./commands/token.ts";
import { EXIT_CODES } from "./exit.ts";

const ABOUT = `
Which credential is used, the first that is there: --credential, --profile,
$DAYKEY_CREDENTIAL_FILE, $DAYKEY_PROFILE, what npm start left in this folder
(.daykey/admin-client.json or demo-client.json), the profile in use.
$DAYKEY_ADMIN_URL is as --admin-url; NO_COLOR is respected.

Results are on standard output, everything else on standard error.

${EXIT_CODES}`;

const GROUPS: readonly (readonly [
  heading: string,
  commands: readonly ((cli: Cli) => AnyCommand)[],
])[] = [
  [
    "For an app:",
    [
      tokenCommand,
      hashCommand,
      introspectCommand,
      revokeCommand,
      timeCommand,
      primeCommand,
      signUrlCommand,
    ],
  ],
  [
    "For an operator:",
    [
      clientsCommand,
      secretsCommand,
      clientKeysCommand,
      apiKeysCommand,
      signatureKeysCommand,
      resourcesCommand,
      keysCommand,
      usageCommand,
      auditCommand,
      restoredCommand,
    ],
  ],
  ["For this machine:", [doctorCommand, profileCommand]],
];

/** `cli` without its global options, which this parses. */
export function createProgram(parts: Omit<Cli, "globals">, version: string): AnyCommand {
  const program = new Command("daykey")
    .description(
      "Tokens for machines: get and inspect them, and manage the clients that may have them.",
    )
    .version(version)
    .option("--credential <file>", "the credential file to use")
    .option("--profile <name>", "the profile to use")
    .option(
      "--admin-url <url>",
      "the auth-server's private listener (default: http://127.0.0.1:4001)",
    )
    .option("--allow-http", "let secrets travel over plain http to other machines")
    .option("--json", "print what the server answered")
    .addHelpText("after", ABOUT);
  const cli: Cli = { ...parts, globals: () => program.opts() };
  for (const [heading, commands] of GROUPS) {
    for (const create of commands) program.addCommand(create(cli).helpGroup(heading));
  }
  program.addCommand(completionCommand(cli, program).helpGroup("For this machine:"));
  inherit(program, {
    exitOverride: true,
    write: cli.terminal.print,
    note: (text) => cli.terminal.note(text.trimEnd()),
  });
  program.helpCommand("help [command]", "show how a command is used");
  return program;
}

/** Errors are thrown, text goes where it belongs, and each --help shows the global options. */
function inherit(
  command: AnyCommand,
  settings: { exitOverride: true; write: (text: string) => void; note: (text: string) => void },
): void {
  command
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: settings.write, writeErr: settings.note, outputError: () => {} })
    .helpCommand(false);
  for (const child of command.commands) inherit(child, settings);
}
