/**
 * Runs the PostgreSQL that comes as an npm package, for `npm start` and for the tests: makes the
 * cluster the first time, recovers it after any crash, adopts it when it outlived the process that
 * started it. It listens on a Unix socket in a folder that only this user (and root) can enter.
 */
import { createHmac, randomBytes } from "node:crypto";
import { chown, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf, EmbeddedPostgresError, explainFailure } from "./embedded-postgres-error.ts";
import { postgresBinaries } from "./postgres-binaries.ts";
import { findPlace, serverAccount } from "./postgres-place.ts";
import { type Cluster, launch, run, stop } from "./postgres-process.ts";
import {
  forgetKilledPostmaster,
  type PostmasterFile,
  readPostmasterFile,
  serves,
} from "./postmaster.ts";
import { createWholeDirectory } from "./whole-directory.ts";

export interface EmbeddedPostgres {
  /** The id of the server's main process. */
  readonly pid: number;
  /** The folder that really holds the cluster: for root it may be another than was asked for. */
  readonly directory: string;
  /** A connection string for `pg`, libpq and `new URL`, with the role's password where it has one. */
  url(database: string, role: string): string;
  /** What a role has to have as its password; undefined where none is asked. */
  passwordOf(role: string): string | undefined;
  /** Closes all connections and ends the server within 3 s. May be called twice. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Made when missing; its own, nothing else is kept there. */
  readonly directory: string;
  /** false gives up safety against a crash of the machine, for tests. Default true. */
  readonly fsync?: boolean;
  /**
   * Made when missing, mode 0600. Root's PostgreSQL runs as a user that other programs run as too: with
   * this file it asks for passwords, which are made from what root alone can read here.
   */
  readonly passwordFile?: string;
  /** More settings for postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Told in a line what would surprise: another folder, an adopted server. */
  readonly log?: (line: string) => void;
}

const START_TIMEOUT_SECONDS = 90;

/** @throws EmbeddedPostgresError with one sentence when the folder, disk or user does not allow it. */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const { directory, fsync = true, log = () => {} } = options;
  try {
    const account = serverAccount();
    const binaries = await postgresBinaries(account !== undefined);
    const place = await findPlace(directory, account, log);
    const settings = {
      listen_addresses: "",
      port: "5432",
      unix_socket_permissions: "0700",
      timezone: "UTC",
      log_timezone: "UTC",
      ...(fsync ? {} : { fsync: "off", full_page_writes: "off" }),
      ...options.settings,
    };
    const cluster = { place, data: join(place, "data"), account, binaries, settings };
    const { passwordFile } = options;
    const passwordOf =
      account === undefined || passwordFile === undefined
        ? () => undefined
        : await readPasswords(passwordFile);
    await ensureInitialised(cluster, { fsync, password: passwordOf("postgres") });
    const server = await adoptOrLaunch(cluster, log);
    const host = encodeURIComponent(server.socketDirectory);
    return {
      pid: server.pid,
      directory: place,
      url(database, role) {
        const password = passwordOf(role);
        const user = password === undefined ? role : `${role}:${password}`;
        return `postgresql://${user}@localhost:${settings.port}/${database}?host=${host}`;
      },
      passwordOf,
      stop: () => stop(cluster, server),
    };
  } catch (error) {
    throw explainFailure(error, directory);
  }
}

/** A password for each role, from one random secret. */
async function readPasswords(file: string): Promise<(role: string) => string> {
  const made = randomBytes(32).toString("hex");
  await writeFile(file, `${made}\n`, { flag: "wx", mode: 0o600 }).catch((error: unknown) => {
    if (codeOf(error) !== "EEXIST") throw error;
  });
  const secret = (await readFile(file, "utf8")).trim();
  return (role) => createHmac("sha256", secret).update(role).digest("hex");
}

async function ensureInitialised(
  cluster: Cluster,
  { fsync, password }: { fsync: boolean; password: string | undefined },
): Promise<void> {
  const { data, account, binaries } = cluster;
  const owner = (await stat(data).catch(() => undefined))?.uid;
  if (owner !== undefined) {
    if (owner === (account?.uid ?? process.getuid?.())) {
      if (password !== undefined) await endTrust(cluster, password);
      return;
    }
    throw new EmbeddedPostgresError(
      `The database in ${cluster.place} belongs to user id ${owner}: start as the user who made it.`,
    );
  }
  await createWholeDirectory(data, async (directory) => {
    if (account !== undefined) await chown(directory, account.uid, account.gid);
    const options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"];
    const sync = fsync ? [] : ["--no-sync"];
    const { code, output } = await run(
      binaries.initdb,
      ["-D", directory, ...options, ...sync, "--no-instructions"],
      account,
    );
    if (code !== 0) throw new Error(output);
    if (password !== undefined) await endTrust({ ...cluster, data: directory }, password);
  });
}

/** From its next start on a cluster that was made without passwords asks for them. */
async function endTrust({ data, account, binaries }: Cluster, password: string): Promise<void> {
  const file = join(data, "pg_hba.conf");
  const rules = await readFile(file, "utf8");
  if (!/\btrust$/m.test(rules) || (await readPostmasterFile(data)) !== undefined) return;
  const statement = `alter role postgres password '${password}'`;
  const options = ["--single", "-D", data, "postgres"];
  const { code, output } = await run(binaries.postgres, options, account, `${statement}\n`);
  if (code !== 0) throw new Error(output);
  await writeFile(file, rules.replaceAll(/\btrust$/gm, "scram-sha-256"));
}

/** The server's own file says when it accepts connections, also when somebody else started it. */
async function adoptOrLaunch(
  cluster: Cluster,
  log: (line: string) => void,
): Promise<PostmasterFile> {
  const deadline = performance.now() + START_TIMEOUT_SECONDS * 1000;
  while (performance.now() < deadline) {
    const file = await readPostmasterFile(cluster.data);
    if (file !== undefined && (await serves(file.pid, cluster.data))) {
      if (file.ready) {
        log(`using the PostgreSQL that still runs in ${cluster.place} (process ${file.pid})`);
        return file;
      }
    } else {
      if (file !== undefined) await forgetKilledPostmaster(cluster.data, file);
      const launched = await launch(cluster, file?.socketDirectory, deadline);
      if (launched !== undefined) return launched;
    }
    await sleep(100);
  }
  throw new EmbeddedPostgresError(
    `PostgreSQL in ${cluster.place} was not ready within ${START_TIMEOUT_SECONDS} seconds.`,
  );
}
