/** The resource-server's commands, as its process runs them. */
import { runCommandLine } from "@daykey/service/process/command-line";
import { runServer, type Surroundings } from "@daykey/service/process/run-server";
import { describeConfig, readConfig, readMigrateConfig } from "./config.ts";
import { migrateResourceServer } from "./migrate.ts";
import { createResourceServer } from "./server.ts";

const USAGE = `Usage: node packages/resource-server/src/main.ts [serve | migrate]

  serve     answer requests that bring a valid access token (the default)
  migrate   bring the schema of its own database up to date, then end

Settings come from the environment; NAME[_FILE] may also name a file that holds the value.

${describeConfig()}
`;

async function serve(): Promise<void> {
  const config = readConfig(process.env);
  const clock = (): number => Date.now() / 1000;
  const start = (surroundings: Surroundings) => createResourceServer(config, surroundings);
  await runServer({ name: "resource-server", config, clock, start });
}

async function migrate(): Promise<void> {
  const { databaseUrl } = readMigrateConfig(process.env);
  const applied = await migrateResourceServer({ connectionString: databaseUrl });
  process.stdout.write(
    applied.length === 0 ? "The schema is up to date.\n" : `Applied ${applied.join(", ")}.\n`,
  );
}

await runCommandLine({ argv: process.argv.slice(2), commands: { serve, migrate }, usage: USAGE });
