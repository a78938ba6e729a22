import pg from "pg";
import { codeOf } from "./embedded-postgres-error.ts";

/** `daykey_owner` migrates; the auth-server serves as `daykey_app`, a resource-server as `daykey_resource`. */
const ROLES = ["daykey_owner", "daykey_app", "daykey_resource"];

/** The number only has to be ours. */
const PREPARE_LOCK = 0x70726570;

const DUPLICATE_OBJECT = "42710";
const DUPLICATE_DATABASE = "42P04";
const UNIQUE_VIOLATION = "23505";

/**
 * Makes the roles and a database that `daykey_owner` owns, where they are missing.
 * Safe when done twice at once. `cluster.url` must give access as the superuser `postgres`.
 *
 * @param options.passwordOf of a role, where it needs one; one that was changed is set anew
 */
export async function prepareDatabase({
  cluster,
  name,
  passwordOf = () => undefined,
}: {
  readonly cluster: { url(database: string, role: string): string };
  readonly name: string;
  readonly passwordOf?: (role: string) => string | undefined;
}): Promise<void> {
  const client = new pg.Client({ connectionString: cluster.url("postgres", "postgres") });
  // A connection that ends between two statements fails the next one.
  client.on("error", () => {});
  await client.connect();
  try {
    // Two that alter a role at once fail. The lock ends with the connection.
    await client.query("select pg_advisory_lock($1)", [PREPARE_LOCK]);
    for (const role of ROLES) {
      const identifier = client.escapeIdentifier(role);
      await createUnlessThere(client, `create role ${identifier} login`);
      const password = passwordOf(role);
      if (password === undefined) continue;
      await client.query(`alter role ${identifier} password ${client.escapeLiteral(password)}`);
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
