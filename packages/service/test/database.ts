/** A database of its own for each test, copied from the template that the test run has migrated. */
import { randomUUID } from "node:crypto";

import pg from "pg";
import { inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** The run's PostgreSQL. `adminUrl` is a superuser's, of database `postgres`. */
    cluster: { adminUrl: string; template: string | undefined };
  }
}

export interface TestDatabase {
  readonly appUrl: string;
  /** As the resource-server's role. */
  readonly resourceUrl: string;
  readonly ownerUrl: string;
  readonly adminUrl: string;
  /** As superuser. */
  query<R extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<R[]>;
  /** Ends every connection to it. */
  drop(): Promise<void>;
}

/** @param options.empty without the template's tables */
export async function createTestDatabase({ empty = false } = {}): Promise<TestDatabase> {
  const { adminUrl, template } = inject("cluster");
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  const source = empty || template === undefined ? "" : ` template ${template}`;
  await run(adminUrl, `create database ${name}${source} owner daykey_owner`);
  return openTestDatabase(name);
}

/** A database that is there, by its name in the run's PostgreSQL. */
export function openTestDatabase(name: string): TestDatabase {
  const { adminUrl } = inject("cluster");
  const admin = new pg.Pool({ connectionString: urlOf(adminUrl, name), max: 2 });
  // `drop` of this very database ends its connections.
  admin.on("error", () => {});
  return {
    appUrl: urlOf(adminUrl, name, "daykey_app"),
    resourceUrl: urlOf(adminUrl, name, "daykey_resource"),
    ownerUrl: urlOf(adminUrl, name, "daykey_owner"),
    adminUrl: urlOf(adminUrl, name),
    async query(text, values) {
      const { rows } = await admin.query(text, values);
      return rows;
    },
    async drop() {
      await admin.end();
      await run(adminUrl, `drop database ${name} with (force)`);
    },
  };
}

async function run(connectionString: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/**
 * Over a socket the role logs in itself; the roles of a server given by TEST_DATABASE_URL may have no
 * way to, so there the superuser takes the role on.
 */
function urlOf(adminUrl: string, database: string, role?: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  if (role === undefined) return url.href;
  if (url.searchParams.get("host")?.startsWith("/")) url.username = role;
  else url.searchParams.set("options", `-c role=${role}`);
  return url.href;
}
