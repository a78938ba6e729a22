/** A primary and its synchronous standby, both real, on TCP ports of this machine. */
import { chown, cp, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrateAuthServer } from "@daykey/auth-server/migrate";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@daykey/local/embedded-postgres";
import { prepareDatabase } from "@daykey/local/prepare-database";
import { freePorts } from "@daykey/service/test/free-ports";
import pg from "pg";

const DATABASE = "daykey";

export interface StreamingPair {
  /** A connection string of both servers, as `DATABASE_URL` takes it. */
  url(role: string): string;
  /** Ends the primary with SIGKILL. */
  killPrimary(): void;
  /** Makes the standby the primary. */
  promote(): Promise<void>;
  /** Runs SQL on what was the standby, as superuser. */
  query<R extends pg.QueryResultRow>(text: string): Promise<R[]>;
  stop(): Promise<void>;
}

export async function startStreamingPair(): Promise<StreamingPair> {
  const folder = await mkdtemp(join(tmpdir(), "daykey-pair-"));
  const [primaryPort = 0, standbyPort = 0] = await freePorts(2);
  const onTcp = (port: number) => ({ listen_addresses: "127.0.0.1", port: String(port) });
  const place = (name: string): string => join(folder, name);
  const urlOf = (hosts: string, role: string): string =>
    `postgresql://${role}@${hosts}/${DATABASE}`;

  const seed = await startEmbeddedPostgres({ directory: place("primary") });
  await prepareDatabase({ cluster: seed, name: DATABASE });
  await migrateAuthServer({ connectionString: seed.url(DATABASE, "daykey_owner") });
  const empty = await startEmbeddedPostgres({ directory: place("standby") });
  await Promise.all([seed.stop(), empty.stop()]);
  await copyCluster(seed, empty);

  const primary = await startEmbeddedPostgres({
    directory: place("primary"),
    settings: { ...onTcp(primaryPort), synchronous_standby_names: "*" },
  });
  const standby = await startEmbeddedPostgres({
    directory: place("standby"),
    settings: {
      ...onTcp(standbyPort),
      primary_conninfo: `host=127.0.0.1 port=${primaryPort} user=postgres`,
    },
  });

  const query: StreamingPair["query"] = async (text) => {
    const connectionString = urlOf(`127.0.0.1:${standbyPort}`, "postgres");
    const client = new pg.Client({ connectionString });
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  };
  return {
    url: (role) => urlOf(`127.0.0.1:${primaryPort},127.0.0.1:${standbyPort}`, role),
    killPrimary: () => void process.kill(primary.pid, "SIGKILL"),
    async promote() {
      await query("select pg_promote()");
    },
    query,
    async stop() {
      await Promise.all([standby.stop(), primary.stop()]);
      for (const { directory } of [primary, standby]) await rm(directory, { recursive: true });
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Both are stopped, so the files are a whole backup; PostgreSQL's own program for it is not shipped here. */
async function copyCluster(from: EmbeddedPostgres, to: EmbeddedPostgres): Promise<void> {
  const target = join(to.directory, "data");
  const { uid, gid } = await stat(target);
  await rm(target, { recursive: true });
  await cp(join(from.directory, "data"), target, { recursive: true, preserveTimestamps: true });
  await writeFile(join(target, "standby.signal"), "");
  await chownAll(target, uid, gid);
}

async function chownAll(directory: string, uid: number, gid: number): Promise<void> {
  await chown(directory, uid, gid);
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    await chown(join(entry.parentPath, entry.name), uid, gid);
  }
}
