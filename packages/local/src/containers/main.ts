/** What docker-compose.yml starts with, in the image `setup`. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readCredentialFile } from "@daykey/auth-server/registration/credential-file";
import { runCommandLine } from "@daykey/service/process/command-line";
import { LocalError } from "../local-error.ts";
import { doMainJob } from "../main-job.ts";
import { describeConfig, readConfig } from "./config.ts";
import { migrateDatabase } from "./database.ts";
import { makeSecrets } from "./secrets.ts";

const USAGE = `Usage: node packages/local/src/containers/main.ts [init | migrate | demo]

  init      make the secrets that are not there yet (the default)
  migrate   make the roles, bring the schema up to date, register the first clients
  demo      register the client demo with the command line, and do the main job with it

Settings come from the environment:

${describeConfig()}
`;

const CLI = fileURLToPath(new URL("../../../cli/bin/daykey.mjs", import.meta.url));
const clock = (): number => Date.now() / 1000;
const print = (line: string): void => void process.stdout.write(`${line}\n`);

async function init(): Promise<void> {
  const config = readConfig(process.env);
  const made = await makeSecrets({ config, clock });
  print(made.length === 0 ? "Every secret is there." : `Made ${made.join(", ")}.`);
  if (!made.includes(config.files.masterKey)) return;
  print("Keep a copy of the master key apart from the database's backups.");
}

async function migrate(): Promise<void> {
  const config = readConfig(process.env);
  const { applied, renewed, faults } = await migrateDatabase({ config, clock });
  print(applied.length === 0 ? "The schema is up to date." : `Applied ${applied.join(", ")}.`);
  if (renewed.length > 0) print(`Made a new secret for ${renewed.join(" and ")}.`);
  for (const fault of faults) print(fault);
  print(`The first admin's credential is in ${config.files.admin}.`);
}

async function demo(): Promise<void> {
  const { resource, files } = readConfig(process.env);
  if (!existsSync(files.demo)) {
    const what = ["clients", "create", "demo", "--name", "demo", "--resource", resource];
    const how = ["--scope", "time:read", "primes:check", "--refresh", "--save", files.demo];
    print(`daykey ${[...what, ...how].join(" ")}`);
    const { status } = spawnSync(process.execPath, [CLI, ...what, ...how], { stdio: "inherit" });
    if (status !== 0) throw new LocalError("The client demo could not be registered");
  }
  const client = await readCredentialFile(files.demo);
  if (!client) throw new LocalError(`${files.demo} is not there`);
  await doMainJob({ client, clock, print });
}

await runCommandLine({
  argv: process.argv.slice(2),
  commands: { init, migrate, demo },
  usage: USAGE,
});
