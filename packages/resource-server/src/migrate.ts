import type { Queryable } from "@daykey/service/database";
import { migrate, MigrationError, pendingMigrations } from "@daykey/service/migrate";
import { quotaAndNonces } from "../migrations/0001-quota-and-nonces.ts";

/** In order of application. A migration that has been released is never edited. */
const MIGRATIONS = [quotaAndNonces];

/** Its own, so that it may share a database with the auth-server's. */
const SCHEMA = "daykey_resource";

/**
 * Brings the database of `connectionString` (its owner's) to the newest schema and names what was
 * applied. Any number of instances may call it at once.
 */
export async function migrateResourceServer({
  connectionString,
}: {
  connectionString: string;
}): Promise<string[]> {
  return migrate({ connectionString, migrations: MIGRATIONS, schema: SCHEMA });
}

/** @throws {MigrationError} when the database lacks a migration */
export async function requireMigrated(database: Queryable): Promise<void> {
  const pending = await pendingMigrations(database, { migrations: MIGRATIONS, schema: SCHEMA });
  if (pending.length === 0) return;
  throw new MigrationError(
    `The database lacks ${pending.join(", ")}. Run the resource-server's migrate command first.`,
  );
}
