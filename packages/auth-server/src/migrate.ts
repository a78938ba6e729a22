import type { Queryable } from "@daykey/service/database";
import { migrate, MigrationError, pendingMigrations } from "@daykey/service/migrate";
import { initial } from "../migrations/0001-initial.ts";
import { revocationAndAdmin } from "../migrations/0002-revocation-and-admin.ts";
import { keysAndQuotas } from "../migrations/0003-keys-and-quotas.ts";

/** In order of application. A migration that has been released is never edited. */
export const MIGRATIONS = [initial, revocationAndAdmin, keysAndQuotas];

const SCHEMA = "daykey";

/**
 * Brings the database of `connectionString` (its owner's) to the newest schema and names what was
 * applied. Any number of instances may call it at once.
 */
export async function migrateAuthServer({
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
    `The database lacks ${pending.join(", ")}. Run the auth-server's migrate command first.`,
  );
}
