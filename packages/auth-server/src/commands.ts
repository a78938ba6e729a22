/** The auth-server's commands, as its process runs them. */
import { runCommandLine } from "@daykey/service/process/command-line";
import { runServer, type Surroundings } from "@daykey/service/process/run-server";
import { createLog } from "@daykey/service/observe/log";
import { createLogDestination } from "@daykey/service/observe/log-destination";
import { describeConfig, readConfig, readMigrateConfig } from "./config.ts";
import { migrateAuthServer } from "./migrate.ts";
import { recoverFromSettings } from "./recover.ts";
import { createAuthServer } from "./server.ts";

const USAGE = `Usage: node packages/auth-server/src/main.ts [serve | migrate | recover-admin]

  serve           issue tokens (the default)
  migrate         bring the database's schema up to date, then end
  recover-admin   make another admin, write its credential to ADMIN_CREDENTIAL_FILE, then end; servers
                  may run meanwhile

Settings come from the environment; NAME[_FILE] may also name a file that holds the value.

${describeConfig()}
`;

async function serve(): Promise<void> {
  const config = readConfig(process.env);
  const clock = (): number => Date.now() / 1000;
  const start = (surroundings: Surroundings) => createAuthServer(config, surroundings);
  await runServer({ name: "auth-server", config, clock, start });
}

async function migrate(): Promise<void> {
  const { databaseUrl } = readMigrateConfig(process.env);
  const applied = await migrateAuthServer({ connectionString: databaseUrl });
  process.stdout.write(
    applied.length === 0 ? "The schema is up to date.\n" : `Applied ${applied.join(", ")}.\n`,
  );
}

async function recoverAdmin(): Promise<void> {
  const config = readConfig(process.env);
  const clock = (): number => Date.now() / 1000;
  // Standard output tells the operator; the log goes beside it.
  const destination = createLogDestination({ fd: 2 });
  const log = createLog({ name: "auth-server", level: config.logLevel, destination });
  const { clientId, auditDamage } = await recoverFromSettings(config, { clock, log });
  process.stdout.write(
    `Made the admin ${clientId}; its credential is in ${config.adminCredentialFile}.\n`,
  );
  if (auditDamage !== undefined) {
    process.stderr.write(
      "The audit log was damaged; the recovery is recorded past the damage. Look with: daykey audit verify\n",
    );
  }
  await log.flush();
}

await runCommandLine({
  argv: process.argv.slice(2),
  commands: { serve, migrate, "recover-admin": recoverAdmin },
  usage: USAGE,
});
