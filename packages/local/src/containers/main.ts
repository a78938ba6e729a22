/** What docker-compose.yml starts with, in the image `setup`. */
import { fileURLToPath } from "node:url";
import { runCommandLine } from "@daykey/service/process/command-line";
import { doMainJob } from "../main-job.ts";
import { describeConfig, readConfig } from "./config.ts";
import { migrateDatabase } from "./database.ts";
import { callProgram, ensureDemoClient } from "./demo-client.ts";
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
  const daykey = (...args: string[]) => callProgram(process.execPath, [CLI, ...args]);
  const client = await ensureDemoClient({ path: files.demo, resource, daykey, print });
  await doMainJob({ client, clock, print });
}

await runCommandLine({
  argv: process.argv.slice(2),
  commands: { init, migrate, demo },
  usage: USAGE,
});
