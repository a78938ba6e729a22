/**
 * `npm start`: the embedded PostgreSQL, both servers as their real processes, the first clients, the
 * main job once; then it stays up. `npm start -- --once` ends after the main job.
 */
import { open, readFile, rename } from "node:fs/promises";
import { relative } from "node:path";
import { migrateAuthServer } from "@daykey/auth-server/migrate";
import { migrateResourceServer } from "@daykey/resource-server/migrate";
import { recoverFromSettings } from "@daykey/auth-server/recover";
import { NoKeys } from "@daykey/auth-server/keys/proven-sealer";
import type { CredentialFile } from "@daykey/auth-server/registration/credential-file";
import { createLog } from "@daykey/service/observe/log";
import { createLogDestination } from "@daykey/service/observe/log-destination";
import { ConfigError } from "@daykey/service/process/config";
import { OWN_MESSAGE } from "@daykey/common/own-message";
import { describeConfig, type LocalConfig, readConfig } from "./config.ts";
import { EmbeddedPostgresError } from "./embedded-postgres-error.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded-postgres.ts";
import { LIMITS } from "./first-clients.ts";
import { type Home, moveAside, openHome } from "./home.ts";
import { keepHomeClients } from "./home-clients.ts";
import { lockHome } from "./home-lock.ts";
import { LocalError } from "./local-error.ts";
import { BIG_NUMBER, doMainJob } from "./main-job.ts";
import { requirePorts } from "./ports.ts";
import { prepareDatabase } from "./prepare-database.ts";
import { startServerProcess } from "./server-process.ts";

const USAGE = `Usage: npm start [-- --once] [-- --recover-admin]

  --once            do the main job once, then stop everything and end
  --recover-admin   make another admin; the old credential is kept beside the new one, as .old, .old-2, …

Settings, from the environment:

${describeConfig()}
`;

const DATABASE = "daykey";
const clock = (): number => Date.now() / 1000;
const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** What was started, to be stopped in the opposite order. */
const started: (() => Promise<void>)[] = [];
let starting: Promise<unknown> = Promise.resolve();
let stopping: Promise<void> | undefined;

/** A signal came while it started; there is nothing to tell. */
class Stopped extends Error {}

/** What is started from here on is stopped with the rest, at once where a stop has begun. */
function own(stop: () => Promise<void>): void {
  started.push(stop);
  if (stopping) throw new Stopped();
}

function stopAll(): Promise<void> {
  const stopStarted = async (): Promise<void> => {
    for (let stop = started.pop(); stop; stop = started.pop()) await stop();
  };
  stopping ??= (async () => {
    await stopStarted();
    // What it is just starting is owned by its end.
    await starting.catch(() => {});
    await stopStarted();
  })();
  return stopping;
}

/** Resolves with the demo client's id. */
async function start(config: LocalConfig, home: Home): Promise<string> {
  const { ports, issuer, resource } = config;
  const where = relative(process.cwd(), home.path) || ".";
  const notes: string[] = [];
  const cluster = await startDatabase(home, (line) => void notes.push(line));
  await requirePorts(ports);
  print(`Daykey starts; its database, keys and logs are in ${where}`);
  for (const note of notes) print(note);
  const { passwordOf } = cluster;
  await prepareDatabase({ cluster, name: DATABASE, passwordOf });
  const connectionString = cluster.url(DATABASE, "daykey_owner");
  await migrateAuthServer({ connectionString });
  await migrateResourceServer({ connectionString });
  const databaseUrl = cluster.url(DATABASE, "daykey_app");
  print("  PostgreSQL       on a Unix socket");

  if (args.includes("--recover-admin")) await recoverAdmin(home, issuer, databaseUrl);

  const host = "127.0.0.1";
  await startServer("auth-server", home, ports.AUTH_PRIVATE_PORT, {
    ISSUER: issuer,
    DATABASE_URL: databaseUrl,
    MASTER_KEY_FILE: home.masterKeyFile,
    ADMIN_CREDENTIAL_FILE: home.adminFile,
    // Here one tries every way in; a client has it only where it is registered for it.
    SEED_HASH: "true",
    TOKEN_EXCHANGE: "true",
    CORS_ORIGINS: `${resource},http://127.0.0.1:${ports.RESOURCE_PORT}`,
    HOST: host,
    PORT: String(ports.AUTH_PORT),
    PRIVATE_PORT: String(ports.AUTH_PRIVATE_PORT),
  });
  print(`  auth-server      ${issuer}`);

  const { server, demo, stop } = await keepHomeClients({
    databaseUrl,
    config,
    home,
    clock,
    print,
  });
  own(stop);
  const faults = [server.fault, demo.fault].filter((fault) => fault !== undefined);
  await startServer(
    "resource-server",
    home,
    ports.RESOURCE_PRIVATE_PORT,
    {
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
      // It becomes ready by itself once its client can do its work.
    },
    server.fault === undefined ? "ready" : "live",
  );
  print(`  resource-server  ${resource}`);
  print(`  its API page     ${resource}/docs`);

  await tryMainJob(demo.credential, faults);
  return demo.credential.client_id;
}

/** What stands in its way is what somebody did to the clients, so without --once the servers stay up. */
async function tryMainJob(client: CredentialFile, faults: readonly string[]): Promise<void> {
  try {
    if (faults.length > 0) throw new LocalError(faults.join("\n"));
    await doMainJob({ client, clock, print });
  } catch (error) {
    if (args.includes("--once") || !(error instanceof LocalError)) throw error;
    print(`\n${error.message}\nThe servers stay up.`);
  }
}

/** The cluster of this home, which is no other start's; if its PostgreSQL ends, it is started again. */
async function startDatabase(home: Home, note: (line: string) => void): Promise<EmbeddedPostgres> {
  let database = await openDatabase(home, note);
  own(async () => {
    await database.lock.release();
    await database.cluster.stop();
  });
  async function restart(): Promise<void> {
    await database.lock.lost;
    if (stopping) return;
    print("PostgreSQL ended by itself; starting it again.");
    database = await openDatabase(home, print);
    print("PostgreSQL runs again.");
    return restart();
  }
  restart().catch(async (error: unknown) => end(explain(error)));
  return database.cluster;
}

/** @throws {LocalError} when another start uses it; that one's database is left alone */
async function openDatabase(home: Home, log: (line: string) => void) {
  const { postgres: directory, passwordFile } = home;
  const cluster = await startEmbeddedPostgres({ directory, passwordFile, log });
  try {
    return { cluster, lock: await lockHome(cluster, home.path) };
  } catch (error) {
    if (!(error instanceof LocalError)) await cluster.stop();
    throw error;
  }
}

/** The credential it replaces is moved away first, and back if no admin can be made. */
async function recoverAdmin(home: Home, issuer: string, databaseUrl: string): Promise<void> {
  const old = await moveAside(home.adminFile);
  const masterKey = (await readFile(home.masterKeyFile, "utf8")).trim();
  const logFile = await open(home.logFile("recover-admin"), "a", 0o600);
  const destination = createLogDestination({ fd: logFile.fd });
  const log = createLog({ name: "local", level: "info", destination });
  try {
    const { clientId, auditDamage } = await recoverFromSettings(
      {
        issuer,
        databaseUrl,
        masterKey,
        masterKeyPrevious: undefined,
        adminCredentialFile: home.adminFile,
        ...LIMITS,
      },
      { clock, log },
    );
    print(`  made the admin ${clientId}, in ${relative(process.cwd(), home.adminFile)}`);
    if (old !== undefined) print(`  the credential before it is ${relative(process.cwd(), old)}`);
    if (auditDamage !== undefined) {
      print("  the audit log was damaged; this is recorded past it: npx daykey audit verify");
    }
  } catch (error) {
    if (old !== undefined) await rename(old, home.adminFile);
    if (!(error instanceof NoKeys)) throw error;
    print("  this is a first start: it makes the first admin");
  } finally {
    await log.flush();
    await logFile.close();
  }
}

async function startServer(
  name: "auth-server" | "resource-server",
  home: Home,
  privatePort: number,
  env: Record<string, string>,
  until?: "ready" | "live",
): Promise<void> {
  const main = new URL(`../../${name}/src/main.ts`, import.meta.url);
  const logFile = home.logFile(name);
  const { ended, stop } = await startServerProcess({
    name,
    main,
    env,
    privatePort,
    until,
    logFile,
  });
  own(stop);
  void ended.then(() => {
    if (!stopping) void end(`The ${name} ended by itself; its log is ${logFile}.`);
  });
}

/** Lines to paste into a shell; the secret stays in its file. */
function pasteLines(clientId: string, { demoFile }: Home, config: LocalConfig): string {
  const { issuer, resource } = config;
  const file = quoted(relative(process.cwd(), demoFile));
  const field = (name: string): string => `"$(sed -n 's/.*"${name}": "\\(.*\\)".*/\\1/p' ${file})"`;
  return `
Try it from another shell, in this folder:

  CLIENT_SECRET=${field("client_secret")}
  SALT=${field("salt")}
  HASH="$(printf '%s %s' "$(date -u +%F)" "$SALT" | openssl dgst -sha256 -hmac "$CLIENT_SECRET" -r | cut -c1-64)"
  curl -s ${issuer}/oauth2/token -d grant_type=client_credentials -d client_id=${clientId} -d client_secret_hash="$HASH"; echo

  TOKEN="$(curl -s ${issuer}/oauth2/token -d grant_type=client_credentials -d client_id=${clientId} -d client_secret_hash="$HASH" | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')"
  curl -s ${resource}/time -H "Authorization: Bearer $TOKEN"; echo
  curl -s ${resource}/primes/${BIG_NUMBER} -H "Authorization: Bearer $TOKEN"; echo

Ctrl-C stops everything.`;
}

/** As one word of a POSIX shell. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
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
const unknown = args.find((arg) => arg !== "--once" && arg !== "--recover-admin");
if (unknown !== undefined) {
  process.stderr.write(`There is no option ${unknown}.\n\n${USAGE}`);
  process.exit(2);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void end());
// Whoever read the output is gone, as in `npm start | head`.
process.stdout.on("error", () => void end());
try {
  const config = readConfig(process.env);
  const home = await openHome(config.home);
  const begun = start(config, home);
  starting = begun;
  const demo = await begun;
  if (args.includes("--once")) {
    print("\nEverything worked; stopping.");
    await end();
  }
  print(pasteLines(demo, home, config));
} catch (error) {
  // What fails because everything is being stopped is no fault.
  await end(stopping ? undefined : explain(error));
}
