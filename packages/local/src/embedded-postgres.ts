/**
 * Runs the PostgreSQL that comes as an npm package, for `npm start` and for the tests: makes the
 * cluster the first time, recovers it after any crash, adopts it when it outlived the process that
 * started it. It listens on a Unix socket in a folder that only this user (and root) can enter.
 */
import { chown, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EmbeddedPostgresError, explainFailure } from "./embedded-postgres-error.ts";
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
  /** Of the server's main process. */
  readonly pid: number;
  /** The folder that really holds the cluster: for root it may be another than was asked for. */
  readonly directory: string;
  /** A connection string for `pg`, libpq and `new URL`; no password is asked. */
  url(database: string, role: string): string;
  /** Closes all connections and ends the server within 3 s. May be called twice. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Made when missing; its own, nothing else is kept there. */
  readonly directory: string;
  /** false gives up safety against a crash of the machine, for tests. Default true. */
  readonly fsync?: boolean;
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
    await ensureInitialised(cluster, fsync);
    const server = await adoptOrLaunch(cluster, log);
    const host = encodeURIComponent(server.socketDirectory);
    return {
      pid: server.pid,
      directory: place,
      url: (database, role) =>
        `postgresql://${role}@localhost:${settings.port}/${database}?host=${host}`,
      stop: () => stop(cluster, server),
    };
  } catch (error) {
    throw explainFailure(error, directory);
  }
}

async function ensureInitialised(cluster: Cluster, fsync: boolean): Promise<void> {
  const { data, account, binaries } = cluster;
  const owner = (await stat(data).catch(() => undefined))?.uid;
  if (owner !== undefined) {
    if (owner === (account?.uid ?? process.getuid?.())) return;
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
  });
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
