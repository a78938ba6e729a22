/** The database of docker-compose.yml: roles with their passwords, the schema, the first clients. */
import { readFile } from "node:fs/promises";
import pg from "pg";
import { migrateAuthServer } from "@daykey/auth-server/migrate";
import type { Clock } from "@daykey/common/clock";
import { migrateResourceServer } from "@daykey/resource-server/migrate";
import { openFirstClients } from "../first-clients.ts";
import { prepareDatabase } from "../prepare-database.ts";
import type { ContainersConfig } from "./config.ts";

export interface Migrated {
  /** Migrations. */
  applied: string[];
  /** Credential files that got a new secret. */
  renewed: readonly string[];
  /** Sentences for the operator, each with its remedy. */
  faults: string[];
}

/** The number only has to be ours. */
const SETUP_LOCK = 0x73657475;

/**
 * Brings it up to date, and renews what ends. Safe when done again, at the same time too.
 */
export async function migrateDatabase({
  config: { issuer, resource, files },
  clock,
}: {
  config: ContainersConfig;
  clock: Clock;
}): Promise<Migrated> {
  const [superuserUrl, ownerUrl, databaseUrl, resourceDatabaseUrl] = await Promise.all([
    readSecret(files.superuserUrl),
    readSecret(files.ownerUrl),
    readSecret(files.databaseUrl),
    readSecret(files.resourceDatabaseUrl),
  ]);
  const passwords = new Map(
    [ownerUrl, databaseUrl, resourceDatabaseUrl].map((text) => {
      const { username, password } = new URL(text);
      return [username, decodeURIComponent(password)] as const;
    }),
  );
  await prepareDatabase({
    cluster: { url: () => superuserUrl },
    name: new URL(ownerUrl).pathname.slice(1),
    passwordOf: (role) => passwords.get(role),
  });
  const applied = [
    ...(await migrateAuthServer({ connectionString: ownerUrl })),
    ...(await migrateResourceServer({ connectionString: ownerUrl })),
  ];
  const clients = await openFirstClients({
    databaseUrl,
    masterKey: await readSecret(files.masterKey),
    place: { issuer, resource },
    daykey: "docker compose run --rm cli",
    clock,
  });
  // When two run at once, one of them writes the files first.
  const lock = new pg.Client({ connectionString: databaseUrl });
  // What is done under the lock has connections of its own, which say that the database went.
  lock.on("error", () => {});
  await lock.connect();
  try {
    await lock.query("select pg_advisory_lock($1)", [SETUP_LOCK]);
    const hasAdmin = await clients.ensureAdmin(files.admin);
    const { fault } = await clients.ensureResourceServer(files.resourceServer);
    const faults = fault === undefined ? [] : [fault];
    if (!hasAdmin) {
      faults.push("No client can administrate: see docs/how-to/recover-an-admin.md");
    }
    return { applied, renewed: clients.renewed, faults };
  } finally {
    await Promise.all([clients.close(), lock.end()]);
  }
}

async function readSecret(path: string): Promise<string> {
  return (await readFile(path, "utf8")).trimEnd();
}
