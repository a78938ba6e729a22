/**
 * Forward-only migrations. Any number of instances may migrate at once: an advisory lock lets one work
 * while the others wait, and then find nothing to do.
 */
import { setTimeout } from "node:timers/promises";
import knex, { type Knex } from "knex";
import pg from "pg";

import type { Queryable } from "./database.ts";
import { DatabaseUnavailable } from "./database-unavailable.ts";
import { OWN_MESSAGE } from "@daykey/common/own-message";
import { SET_SESSION } from "./session.ts";
import { findPrimary, serverName, serversOf } from "./primary.ts";

/** Its name, without extension, is its identity for ever. */
export interface Migration {
  readonly name: string;
  /**
   * Runs without a transaction, which `create index concurrently` needs. It must then be one that can be
   * run again after it failed half way, and be the only thing that its file does.
   */
  readonly withoutTransaction?: boolean;
  up(knex: Knex): Promise<void>;
}

/** The database cannot be migrated by, or used with, this version; the message says what to do. */
export class MigrationError extends Error {
  readonly [OWN_MESSAGE] = true;

  constructor(message: string) {
    super(message);
    this.name = "MigrationError";
  }
}

/** The migrations of one server, in a schema of its own. */
export interface Migrations {
  /**
   * Brings the database of `connectionString` (its owner's) to the newest schema and names what was
   * applied. Any number of instances may call it at once.
   * @throws {MigrationError} when the database holds migrations this version does not know
   * @throws {DatabaseUnavailable} when it cannot be reached
   */
  apply(options: { connectionString: string }): Promise<string[]>;
  /** @throws {MigrationError} when the database lacks a migration, or the role may not look */
  require(database: Queryable): Promise<void>;
}

/**
 * @param options.server what the message calls it
 * @param options.migrations in order of application; one that has been released is never edited
 */
export function createMigrations({
  server,
  schema,
  migrations,
}: {
  server: string;
  schema: string;
  migrations: readonly Migration[];
}): Migrations {
  return {
    apply: ({ connectionString }) => migrate({ connectionString, migrations, schema }),
    async require(database) {
      const pending = await pendingMigrations(database, { migrations, schema });
      if (pending.length === 0) return;
      throw new MigrationError(
        `The database lacks ${pending.join(", ")}. Run the ${server}'s migrate command first.`,
      );
    },
  };
}

const TABLE = "migrations";

/** Serialises migrations of one database; the number only has to be ours. */
const MIGRATION_LOCK = 0x6461796b;

/** knex would print what it then throws, SQL included. */
const SILENT: Knex.Logger = { debug() {}, warn() {}, error() {}, deprecate() {} };

/** A big table's index takes its time, whatever the owner's statements may take otherwise. */
const SET_MIGRATION = `${SET_SESSION}; set statement_timeout to 0`;

const CONNECT_SECONDS = 5;
const LOCK_RETRY_MS = 100;
const UNDEFINED_TABLE = "42P01";
const INSUFFICIENT_PRIVILEGE = "42501";

/**
 * Applies what is missing and returns the names of what was applied.
 *
 * @param options.connectionString the owner's, of the server itself, or of several (`primary.ts`), and
 *   not of a pooler
 * @param options.schema holds the table of what was applied; created when absent
 * @throws {MigrationError} when the database holds migrations this version does not know
 * @throws {DatabaseUnavailable} when it cannot be reached
 */
export async function migrate({
  connectionString: servers,
  migrations,
  schema,
}: {
  connectionString: string;
  migrations: readonly Migration[];
  schema: string;
}): Promise<string[]> {
  const unavailable = (cause: unknown): never => {
    throw new DatabaseUnavailable({
      cause,
      server: serversOf(servers).map(serverName).join(" or "),
    });
  };
  const connectionString = await findPrimary(servers).catch(unavailable);
  const lock = new pg.Client({
    connectionString,
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_SECONDS * 1000,
  });
  // Lost in mid-migration, it fails the next query on it.
  lock.on("error", () => {});
  await lock.connect().catch(unavailable);
  const runner = knex({
    client: "pg",
    connection: connectionString,
    pool: {
      min: 0,
      max: 2,
      afterCreate: (client: pg.Client, done: (error: Error) => void): void =>
        client.query(SET_MIGRATION, done),
    },
    log: SILENT,
    migrations: {
      migrationSource: sourceOf(migrations),
      schemaName: schema,
      tableName: TABLE,
      disableTransactions: false,
    },
  });
  try {
    await lock.query(SET_MIGRATION);
    await takeLock(lock);
    await lock.query(`create schema if not exists ${lock.escapeIdentifier(schema)}`);
    await refuseNewer(runner, { migrations, schema });
    // knex keeps a lock of its own in a row, which outlives a killed process. Ours holds here.
    await runner.migrate.forceFreeMigrationsLock();
    const [, applied] = (await runner.migrate.latest()) as [number, string[]];
    if (applied.length > 0) await runner.raw("analyze");
    return applied;
  } finally {
    await runner.destroy();
    await lock.end();
  }
}

/**
 * The names of migrations that the database lacks, for a server to refuse to start on. Its role needs
 * to read the table `migrations` of `schema`.
 */
export async function pendingMigrations(
  database: Queryable,
  { migrations, schema }: { migrations: readonly Migration[]; schema: string },
): Promise<string[]> {
  const table = `${pg.escapeIdentifier(schema)}.${TABLE}`;
  let applied: Set<string>;
  try {
    const { rows } = await database.query<{ name: string }>({ text: `select name from ${table}` });
    applied = new Set(rows.map((row) => row.name));
  } catch (error) {
    const code = error instanceof pg.DatabaseError ? error.code : undefined;
    if (code === INSUFFICIENT_PRIVILEGE) {
      throw new MigrationError(
        `The role of the database URL may not read the schema ${schema}. Each server has a role of its own.`,
      );
    }
    if (code !== UNDEFINED_TABLE) throw error;
    applied = new Set();
  }
  return migrations.filter((migration) => !applied.has(migration.name)).map(({ name }) => name);
}

/**
 * Asks again and again instead of waiting in a statement: `create index concurrently` waits for every
 * statement that began before it, so the one who migrates and one who waits would wait for each other.
 */
async function takeLock(lock: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await lock.query<{ taken: boolean }>(
      "select pg_try_advisory_lock($1) as taken",
      [MIGRATION_LOCK],
    );
    if (rows[0]?.taken === true) return;
    await setTimeout(LOCK_RETRY_MS);
  }
}

/** An older version cannot know what a newer one made of the data. */
async function refuseNewer(
  runner: Knex,
  { migrations, schema }: { migrations: readonly Migration[]; schema: string },
): Promise<void> {
  if (!(await runner.schema.withSchema(schema).hasTable(TABLE))) return;
  const rows = await runner.withSchema(schema).from(TABLE).select<{ name: string }[]>("name");
  const unknown = rows
    .map(({ name }) => name)
    .filter((name) => !migrations.some((m) => m.name === name));
  if (unknown.length === 0) return;
  throw new MigrationError(
    `The database belongs to a newer version, which applied ${unknown.join(", ")}. Run that version.`,
  );
}

function sourceOf(migrations: readonly Migration[]): Knex.MigrationSource<Migration> {
  return {
    getMigrations: () => Promise.resolve([...migrations]),
    getMigrationName: ({ name }) => name,
    getMigration: (migration) =>
      Promise.resolve({
        up: (transaction) => migration.up(transaction),
        ...(migration.withoutTransaction === true && { config: { transaction: false } }),
        down: () => Promise.reject(new MigrationError(`${migration.name} cannot be undone.`)),
      }),
  };
}
