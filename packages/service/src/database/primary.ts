/**
 * Which of a database's servers is the primary. A connection string may name several, as libpq writes
 * them: `postgresql://user@a:5432,b:5432/name`. pg knows one host, so this tells which to try: the one
 * that was the primary last, and after a failure the next. A standby that was promoted is found so.
 */
import pg from "pg";

export interface Primary {
  /** Whether there is more than one server, so that each has to be asked what it is. */
  readonly isOneOfMany: boolean;
  /** Connection string of the server to try now. */
  current(): string;
  /** That one is not the primary, or cannot be reached: from now on the next is tried. */
  failed(connectionString: string): void;
}

const PARTS = /^(postgres(?:ql)?:\/\/(?:[^@/]*@)?)([^/?#]*)(.*)$/s;

export function createPrimary(connectionString: string): Primary {
  const [, before = "", hosts = "", after = ""] = PARTS.exec(connectionString) ?? [];
  const servers = hosts.includes(",")
    ? hosts.split(",").map((host) => before + host + after)
    : [connectionString];
  let index = 0;
  const current = (): string => servers[index] ?? connectionString;
  return {
    isOneOfMany: servers.length > 1,
    current,
    failed(failed) {
      // Many find out at once; the first moves on for all.
      if (failed === current()) index = (index + 1) % servers.length;
    },
  };
}

/** The server answers, and will not take a change. */
export class NotThePrimary extends Error {
  override readonly name = "NotThePrimary";
}

/** @throws {NotThePrimary} on a standby */
export async function requirePrimary(client: Pick<pg.ClientBase, "query">): Promise<void> {
  const { rows } = await client.query<{ standby: boolean }>(
    "select pg_is_in_recovery() as standby",
  );
  if (rows[0]?.standby !== false) throw new NotThePrimary("the server is a standby");
}

/**
 * The connection string of the primary among several servers, the given one when there is no choice.
 * @throws the last server's failure when none is the primary
 */
export async function findPrimary(connectionString: string): Promise<string> {
  const primary = createPrimary(connectionString);
  if (!primary.isOneOfMany) return connectionString;
  const first = primary.current();
  for (;;) {
    const candidate = primary.current();
    try {
      await tryPrimary(candidate);
      return candidate;
    } catch (error) {
      primary.failed(candidate);
      if (primary.current() === first) throw error;
    }
  }
}

async function tryPrimary(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 2000 });
  client.on("error", () => {});
  try {
    await client.connect();
    await requirePrimary(client);
  } finally {
    await client.end();
  }
}
