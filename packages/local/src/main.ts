/**
 * `npm start`: the embedded PostgreSQL, both servers as their real processes, the first clients, the
 * main job once; then it stays up. `npm start -- --once` ends after the main job.
 */
import { relative } from "node:path";
import { migrateAuthServer } from "@daykey/auth-server/migrate";
import { migrateResourceServer } from "@daykey/guard/migrate";
import { ConfigError } from "@daykey/service/process/config";
import { OWN_MESSAGE } from "@daykey/service/observe/own-message";
import { describeConfig, type LocalConfig, readConfig } from "./config.ts";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { startEmbeddedPostgres } from "./embedded-postgres.ts";
import { ensureFirstClients } from "./first-clients.ts";
import { type Home, openHome } from "./home.ts";
import { BIG_NUMBER, doMainJob } from "./main-job.ts";
import { requirePorts } from "./ports.ts";
import { prepareDatabase } from "./prepare-database.ts";
import { startServerProcess } from "./server-process.ts";

const USAGE = `Usage: npm start [-- --once]

  --once   do the main job once, then stop everything and end

Settings, from the environment:

${describeConfig()}
`;

const DATABASE = "daykey";
const clock = (): number => Date.now() / 1000;
const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** What was started, to be stopped in the opposite order. */
const started: { name: string; stop: () => Promise<void> }[] = [];
let stopping: Promise<void> | undefined;

function stopAll(): Promise<void> {
  stopping ??= (async () => {
    for (const { stop } of started.toReversed()) await stop();
  })();
  return stopping;
}

async function start(config: LocalConfig): Promise<Home> {
  const home = await openHome(config.home);
  const { ports, issuer, resource } = config;
  await requirePorts(ports);
  const where = relative(process.cwd(), home.path) || ".";
  print(`Daykey starts; its database, keys and logs are in ${where}`);

  const cluster = await startEmbeddedPostgres({ directory: home.postgres, log: print });
  started.push({ name: "PostgreSQL", stop: cluster.stop });
  await prepareDatabase({ cluster, name: DATABASE });
  const connectionString = cluster.url(DATABASE, "daykey_owner");
  await migrateAuthServer({ connectionString });
  await migrateResourceServer({ connectionString });
  const databaseUrl = cluster.url(DATABASE, "daykey_app");
  print("  PostgreSQL       on a Unix socket");

  const host = "127.0.0.1";
  await startServer("auth-server", home, ports.AUTH_PRIVATE_PORT, {
    ISSUER: issuer,
    DATABASE_URL: databaseUrl,
    MASTER_KEY_FILE: home.masterKeyFile,
    ADMIN_CREDENTIAL_FILE: home.adminFile,
    // Here one tries every way in; a client has it only where it is registered for it.
    SEED_HASH: "true",
    CORS_ORIGINS: `${resource},http://127.0.0.1:${ports.RESOURCE_PORT}`,
    HOST: host,
    PORT: String(ports.AUTH_PORT),
    PRIVATE_PORT: String(ports.AUTH_PRIVATE_PORT),
  });
  print(`  auth-server      ${issuer}`);

  const client = await ensureFirstClients({ databaseUrl, config, home, clock });
  await startServer("resource-server", home, ports.RESOURCE_PRIVATE_PORT, {
    RESOURCE: resource,
    ISSUER: issuer,
    RESOURCE_CREDENTIAL_FILE: home.resourceServerFile,
    DATABASE_URL: cluster.url(DATABASE, "daykey_resource"),
    SIMPLE_SIGNATURES: "true",
    // Here one stops a server to see what the other does without it.
    STALE_POLICY: "allow:3600",
    HOST: host,
    PORT: String(ports.RESOURCE_PORT),
    PRIVATE_PORT: String(ports.RESOURCE_PRIVATE_PORT),
  });
  print(`  resource-server  ${resource}`);
  print(`  its API page     ${resource}/docs`);

  await doMainJob({ client, clock, print });
  return home;
}

async function startServer(
  name: "auth-server" | "resource-server",
  home: Home,
  privatePort: number,
  env: Record<string, string>,
): Promise<void> {
  const main = new URL(`../../${name}/src/main.ts`, import.meta.url);
  const logFile = home.logFile(name);
  const { ended, stop } = await startServerProcess({ name, main, env, privatePort, logFile });
  started.push({ name, stop });
  void ended.then(() => {
    if (!stopping) void end(`The ${name} ended by itself; its log is ${logFile}.`);
  });
}

/** Lines to paste into a shell; the secret stays in its file. */
function pasteLines({ demoFile }: Home, { issuer, resource }: LocalConfig): string {
  const file = relative(process.cwd(), demoFile);
  const field = (name: string): string => `"$(sed -n 's/.*"${name}": "\\(.*\\)".*/\\1/p' ${file})"`;
  return `
Try it from another shell, in this folder:

  CLIENT_SECRET=${field("client_secret")}
  SALT=${field("salt")}
  HASH="$(printf '%s %s' "$(date -u +%F)" "$SALT" | openssl dgst -sha256 -hmac "$CLIENT_SECRET" -r | cut -c1-64)"
  curl -s ${issuer}/oauth2/token -d grant_type=client_credentials -d client_id=demo -d client_secret_hash="$HASH"; echo

  TOKEN="$(curl -s ${issuer}/oauth2/token -d grant_type=client_credentials -d client_id=demo -d client_secret_hash="$HASH" | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')"
  curl -s ${resource}/time -H "Authorization: Bearer $TOKEN"; echo
  curl -s ${resource}/primes/${BIG_NUMBER} -H "Authorization: Bearer $TOKEN"; echo

Ctrl-C stops everything.`;
}

/** Stops everything and ends: 0, or 1 with the sentence of what went wrong. */
async function end(fault?: string): Promise<void> {
  if (fault !== undefined) process.stderr.write(`${fault}\n`);
  await stopAll();
  process.exit(fault === undefined ? 0 : 1);
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isOurs =
    error instanceof EmbeddedPostgresError || error instanceof ConfigError || OWN_MESSAGE in error;
  return isOurs ? error.message : (error.stack ?? error.message);
}

const args = process.argv.slice(2);
if (args.includes("--help")) {
  print(USAGE);
  process.exit(0);
}
if (args.some((arg) => arg !== "--once")) {
  process.stderr.write(USAGE);
  process.exit(2);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void end());
// Whoever read the output is gone, as in `npm start | head`.
process.stdout.on("error", () => void end());
try {
  const config = readConfig(process.env);
  const home = await start(config);
  if (args.includes("--once")) {
    print("\nEverything worked; stopping.");
    await end();
  }
  print(pasteLines(home, config));
} catch (error) {
  await end(explain(error));
}
