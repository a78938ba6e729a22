/** The database of docker-compose.yml: roles with their passwords, the schema, the first clients. */
import { readFile } from "node:fs/promises";
import { migrateAuthServer } from "@daykey/auth-server/migrate";
import type { Clock } from "@daykey/common/clock";
import { migrateResourceServer } from "@daykey/guard/migrate";
import { openFirstClients } from "../first-clients.ts";
import { prepareDatabase } from "../prepare-database.ts";
import type { ContainersConfig } from "./config.ts";

/**
 * Brings it up to date and names the migrations that were applied, and the credential files that got a
 * new secret. Safe when done again.
 */
export async function migrateDatabase({
  config: { issuer, resource, files },
  clock,
}: {
  config: ContainersConfig;
  clock: Clock;
}): Promise<{ applied: string[]; renewed: readonly string[] }> {
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
  const clients = openFirstClients({ databaseUrl, place: { issuer, resource }, clock });
  try {
    await clients.ensureAdmin(files.admin);
    await clients.ensureResourceServer(files.resourceServer);
  } finally {
    await clients.close();
  }
  return { applied, renewed: clients.renewed };
}

async function readSecret(path: string): Promise<string> {
  return (await readFile(path, "utf8")).trimEnd();
}
