/** `daykey import`: the clients of another server as a file of `apply`, their secrets apart from it. */
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { Argument } from "@commander-js/extra-typings";
import { type Cli, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";
import { readText, writeDaykeyFile } from "../daykey-file.ts";
import { CliError, EXIT, usageError } from "../exit.ts";
import { importClients, SOURCES } from "../import-clients.ts";
import { printable } from "../output.ts";
import { cannotWrite, codeOf } from "../private-file.ts";

export function importCommand(own: Group, cli: Cli): void {
  own
    .addArgument(new Argument("<server>", "where the clients come from").choices(SOURCES))
    .argument("<file>", "its export, in JSON")
    .requiredOption("--resource <uri>", "what tokens of a client are for that names nothing")
    .option("--scope <name>", "the scope of a client that names none", "access")
    .option("--label <name>", "the label that the file gets", "main")
    .option("--secrets-to <file>", "where the secrets go", "imported-secrets.json")
    .addHelpText(
      "after",
      examples(
        "daykey import keycloak realm.json --resource https://api.example.com > daykey.yaml",
      ),
    )
    .action(async (source, path, { resource, scope, label, secretsTo }) => {
      const text = await readText(resolve(cli.cwd, path));
      const { file, secrets, notes } = importClients(source, parsed(text, path), {
        label,
        resource,
        scope,
      });
      if (Object.keys(secrets).length > 0) await keep(resolve(cli.cwd, secretsTo), secrets);
      for (const note of notes) cli.terminal.note(printable(note));
      show(cli, file, () => writeDaykeyFile(file));
    });
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw usageError(`${path} is not JSON`);
  }
}

/** @throws {CliError} when the file is there already or cannot be written */
async function keep(path: string, secrets: Readonly<Record<string, string>>): Promise<void> {
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(secrets, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw cannotWrite(path, error);
    throw new CliError(EXIT.credential, `${path} is there already; it is left alone`);
  }
}
