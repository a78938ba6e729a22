import pg from "pg";
import { codeOf } from "./embedded-postgres-error.ts";

/** `daykey_owner` migrates, `daykey_app` serves. */
const ROLES = ["daykey_owner", "daykey_app"];

const DUPLICATE_OBJECT = "42710";
const DUPLICATE_DATABASE = "42P04";
const UNIQUE_VIOLATION = "23505";

/**
 * Makes the two roles and a database that `daykey_owner` owns, where they are missing.
 * Safe when done twice at once. `cluster.url` must give access as the superuser `postgres`.
 */
export async function prepareDatabase({
  cluster,
  name,
}: {
  readonly cluster: { url(database: string, role: string): string };
  readonly name: string;
}): Promise<void> {
  const client = new pg.Client({ connectionString: cluster.url("postgres", "postgres") });
  await client.connect();
  try {
    for (const role of ROLES) {
      await createUnlessThere(client, `create role ${client.escapeIdentifier(role)} login`);
    }
    const database = client.escapeIdentifier(name);
    await createUnlessThere(client, `create database ${database} owner daykey_owner`);
  } finally {
    await client.end();
  }
}

/** Asking first would leave a gap in which another makes it. */
async function createUnlessThere(client: pg.Client, statement: string): Promise<void> {
  await client.query(statement).catch((error: unknown) => {
    if (![DUPLICATE_OBJECT, DUPLICATE_DATABASE, UNIQUE_VIOLATION].includes(codeOf(error))) {
      throw error;
    }
  });
}
