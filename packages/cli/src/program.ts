/** The tree of commands, with what holds for all of them. */
import { Command } from "@commander-js/extra-typings";
import type { Cli } from "./cli.ts";
import { type AnyCommand, command, type Group } from "./command.ts";
import { EXIT_CODES, usageError } from "./exit.ts";

const ABOUT = `
Which credential is used, the first that is there: --credential, --profile,
$DAYKEY_CREDENTIAL_FILE, $DAYKEY_PROFILE, what npm start left in this folder
(.daykey/admin-client.json or demo-client.json), the profile in use.
$DAYKEY_ADMIN_URL is as --admin-url; NO_COLOR is respected.

Results are on standard output, everything else on standard error.

${EXIT_CODES}`;

/** Gives a command its options, arguments and commands. */
type Define = (own: Group, cli: Cli, program: AnyCommand) => void;

interface Entry {
  name: string;
  about: string;
  /** What stands behind a name is read when it is needed: a start takes as long as it has modules. */
  load: () => Promise<Define>;
}

const GROUPS: readonly (readonly [heading: string, entries: readonly Entry[]])[] = [
  [
    "For an app:",
    [
      {
        name: "token",
        about: "get an access token",
        load: async () => (await import("./commands/token.ts")).tokenCommand,
      },
      {
        name: "exchange",
        about: "get a token on behalf of another's token (RFC 8693)",
        load: async () => (await import("./commands/token.ts")).exchangeCommand,
      },
      {
        name: "hash",
        about: "print today's client_secret_hash; asks no server",
        load: async () => (await import("./commands/token.ts")).hashCommand,
      },
      {
        name: "introspect",
        about: "what the auth-server says of a token (RFC 7662)",
        load: async () => (await import("./commands/existing-token.ts")).introspectCommand,
      },
      {
        name: "revoke",
        about: "end a grant, by any of its tokens (RFC 7009)",
        load: async () => (await import("./commands/existing-token.ts")).revokeCommand,
      },
      {
        name: "time",
        about: "ask the resource-server for the time",
        load: async () => (await import("./commands/calls.ts")).timeCommand,
      },
      {
        name: "prime",
        about: "ask the resource-server whether a number is prime",
        load: async () => (await import("./commands/prime.ts")).primeCommand,
      },
      {
        name: "sign-url",
        about: "print a URL that may be asked for without a credential; asks no server",
        load: async () => (await import("./commands/sign-url.ts")).signUrlCommand,
      },
    ],
  ],
  [
    "For an operator:",
    [
      {
        name: "clients",
        about: "the clients that may get tokens",
        load: async () => (await import("./commands/clients.ts")).clientsCommand,
      },
      {
        name: "secrets",
        about: "a client's secrets",
        load: async () => (await import("./commands/secrets.ts")).secretsCommand,
      },
      {
        name: "client-keys",
        about: "the public keys that a client proves itself with",
        load: async () => (await import("./commands/client-keys.ts")).clientKeysCommand,
      },
      {
        name: "api-keys",
        about: "keys that a client sends straight to a resource",
        load: async () => (await import("./commands/api-keys.ts")).apiKeysCommand,
      },
      {
        name: "signature-keys",
        about: "keys that sign a client's requests",
        load: async () => (await import("./commands/signature-keys.ts")).signatureKeysCommand,
      },
      {
        name: "resources",
        about: "the APIs that tokens are for",
        load: async () => (await import("./commands/resources.ts")).resourcesCommand,
      },
      {
        name: "trust",
        about: "workloads with an identity of their own, and which clients they are",
        load: async () => (await import("./commands/trust.ts")).trustCommand,
      },
      {
        name: "keys",
        about: "the server's own keys",
        load: async () => (await import("./commands/keys.ts")).keysCommand,
      },
      {
        name: "tree",
        about: "the grants that a token stands on, and which has ended",
        load: async () => (await import("./commands/tree.ts")).treeCommand,
      },
      {
        name: "usage",
        about: "how often clients were served, by day",
        load: async () => (await import("./commands/usage.ts")).usageCommand,
      },
      {
        name: "who-uses",
        about: "the clients that have a scope or a resource",
        load: async () => (await import("./commands/who-uses.ts")).whoUsesCommand,
      },
      {
        name: "audit",
        about: "the record of all changes",
        load: async () => (await import("./commands/audit.ts")).auditCommand,
      },
      {
        name: "console",
        about: "a link to the operator's console, for a browser",
        load: async () => (await import("./commands/console.ts")).consoleCommand,
      },
      {
        name: "export",
        about: "print clients, resources and trust as a file",
        load: async () => (await import("./commands/as-code.ts")).exportCommand,
      },
      {
        name: "import",
        about: "the clients of Hydra, Keycloak or Auth0 as such a file",
        load: async () => (await import("./commands/import.ts")).importCommand,
      },
      {
        name: "plan",
        about: "what a file would change; exits with 2 when there is something",
        load: async () => (await import("./commands/as-code.ts")).planCommand,
      },
      {
        name: "apply",
        about: "make the server have what a file holds",
        load: async () => (await import("./commands/as-code.ts")).applyCommand,
      },
      {
        name: "restored",
        about: "after a restore: end all that the backup has forgotten to end",
        load: async () => (await import("./commands/restored.ts")).restoredCommand,
      },
    ],
  ],
  [
    "For this machine:",
    [
      {
        name: "doctor",
        about: "check credential, servers, clock, keys and a token",
        load: async () => (await import("./commands/doctor.ts")).doctorCommand,
      },
      {
        name: "profile",
        about: "credentials under a name",
        load: async () => (await import("./commands/profile.ts")).profileCommand,
      },
      {
        name: "completion",
        about: "print a completion script for a shell",
        load: async () => (await import("./commands/completion.ts")).completionCommand,
      },
    ],
  ],
];

/**
 * `cli` without its global options, which this parses. The command that `argv` names is whole; the others
 * have a name and a description, as `--help` shows them.
 */
export async function createProgram(
  parts: Omit<Cli, "globals">,
  version: string,
  argv: readonly string[],
): Promise<AnyCommand> {
  const program = withGlobals(new Command("daykey"))
    .description(
      "Tokens for machines: get and inspect them, and manage the clients that may have them.",
    )
    .version(version)
    .addHelpText("after", ABOUT);
  const cli: Cli = { ...parts, globals: () => program.opts() };
  const named = namedIn(argv);
  for (const [heading, entries] of GROUPS) {
    for (const { name, about, load } of entries) {
      const own = command(name, about).helpGroup(heading);
      // A completion script is about all of them.
      if (named === name || named === "completion") (await load())(own, cli, program);
      program.addCommand(own);
    }
  }
  program.addCommand(helpCommand(program));
  inherit(program, {
    exitOverride: true,
    write: cli.terminal.print,
    note: (text) => cli.terminal.note(text.trimEnd()),
  });
  return program;
}

/** The parser's own shows the general help for a name that is none. */
function helpCommand(program: AnyCommand): AnyCommand {
  return command("help", "show how a command is used")
    .helpGroup("For this machine:")
    .argument("[command...]", "its name, and that of one below it")
    .action((words) => {
      let shown = program;
      let place = program.name();
      for (const word of words) {
        const child = shown.commands.find((one) => one.name() === word);
        if (!child) throw usageError(`There is no command ${word}`, `See ${place} --help.`);
        shown = child;
        place += ` ${word}`;
      }
      shown.outputHelp();
    });
}

function withGlobals(program: Group) {
  return program
    .option("--credential <file>", "the credential file to use")
    .option("--profile <name>", "the profile to use")
    .option(
      "--admin-url <url>",
      "the auth-server's private listener (default: http://127.0.0.1:4001)",
    )
    .option("--allow-http", "let secrets travel over plain http to other machines")
    .option("--json", "print what the server answered");
}

/** The command that a command line is about, wherever the global options stand. */
function namedIn(argv: readonly string[]): string | undefined {
  const { operands } = withGlobals(new Command()).parseOptions([...argv]);
  return operands[0] === "help" ? operands[1] : operands[0];
}

/** Errors are thrown, text goes where it belongs, and each --help shows the global options. */
function inherit(
  shown: AnyCommand,
  settings: { exitOverride: true; write: (text: string) => void; note: (text: string) => void },
): void {
  shown
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: settings.write, writeErr: settings.note, outputError: () => {} })
    .helpCommand(false);
  for (const child of shown.commands) inherit(child, settings);
}
