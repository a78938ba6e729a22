/**
 * The one PostgreSQL of a test run (vitest's globalSetup): a throwaway cluster, or the server of
 * TEST_DATABASE_URL (as a superuser), with the roles and a migrated template database. Each test
 * copies the template.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrateAuthServer } from "@daykey/auth-server/migrate";
import { migrateResourceServer } from "@daykey/resource-server/migrate";
import pg from "pg";
import type { TestProject } from "vitest/node";
import { startEmbeddedPostgres } from "./embedded-postgres.ts";
import { prepareDatabase } from "./prepare-database.ts";

const TEMPLATE = "daykey_template";

interface TestCluster {
  url(database: string, role: string): string;
  remove(): Promise<void>;
}

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env["TEST_DATABASE_URL"];
  const cluster = given === undefined ? await startThrowaway() : givenCluster(given);
  try {
    await createTemplate(cluster);
  } catch (error) {
    await cluster.remove();
    throw error;
  }
  project.provide("cluster", { adminUrl: cluster.url("postgres", "postgres"), template: TEMPLATE });
  return () => cluster.remove();
}

async function createTemplate(cluster: TestCluster): Promise<void> {
  const admin = new pg.Client({ connectionString: cluster.url("postgres", "postgres") });
  await admin.connect();
  try {
    await admin.query(`drop database if exists ${TEMPLATE} with (force)`);
  } finally {
    await admin.end();
  }
  await prepareDatabase({ cluster, name: TEMPLATE });
  const connectionString = cluster.url(TEMPLATE, "daykey_owner");
  await migrateAuthServer({ connectionString });
  await migrateResourceServer({ connectionString });
}

async function startThrowaway(): Promise<TestCluster> {
  const directory = await mkdtemp(join(tmpdir(), "daykey-test-"));
  const endWatch = watch(directory);
  try {
    const settings = { max_connections: "300" };
    const cluster = await startEmbeddedPostgres({ directory, fsync: false, settings });
    return {
      url: (database, role) => cluster.url(database, role),
      async remove() {
        await cluster.stop();
        await endWatch();
      },
    };
  } catch (error) {
    await endWatch();
    throw error;
  }
}

/**
 * A shell that outlives this process, whatever ends it: its input then closes, and it ends the
 * server that may still run and removes the directory, and the one in its place (`moved-to`).
 */
function watch(directory: string): () => Promise<void> {
  const script = `cat >/dev/null
place=$(readlink "$1/moved-to") || place=$1
kill -QUIT "$(head -n 1 "$place/data/postmaster.pid")"
for _ in 1 2 3 4 5 6 7 8 9; do rm -rf "$place" "$1" && break; sleep 0.5; done`;
  const watcher = spawn("/bin/sh", ["-c", script, "daykey-test-cluster", directory], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  watcher.unref();
  return async () => {
    watcher.ref();
    watcher.stdin.end();
    await once(watcher, "exit");
  };
}

/** Takes a role as its superuser does, because the roles have no password there. */
function givenCluster(superuserUrl: string): TestCluster {
  return {
    url(database, role) {
      const url = new URL(superuserUrl);
      url.pathname = `/${database}`;
      if (role !== "postgres") url.searchParams.set("options", `-c role=${role}`);
      return url.href;
    },
    async remove() {},
  };
}
