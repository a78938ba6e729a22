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

/** The connection string of each server that one names. */
export function serversOf(connectionString: string): string[] {
  const [, before = "", hosts = "", after = ""] = PARTS.exec(connectionString) ?? [];
  return hosts.includes(",")
    ? hosts.split(",").map((host) => before + host + after)
    : [connectionString];
}

/** One server's connection string as a URL. libpq lets the host be empty beside a user; URLs do not. */
export function parseServer(connectionString: string): URL | null {
  return URL.parse(connectionString.replace(/^(postgres(?:ql)?:\/\/[^@/]*@)(?=\/)/, "$1localhost"));
}

/** Host, port and database of a connection string; never the role or its password. */
export function serverName(connectionString: string): string {
  const parsed = parseServer(connectionString);
  if (!parsed) return "an address that cannot be read";
  const database = parsed.pathname === "/" ? "" : parsed.pathname;
  const host = parsed.searchParams.get("host") ?? decodeURIComponent(parsed.hostname);
  if (host.startsWith("/")) return `${host}${database}`;
  return `${host === "" ? "localhost" : host}:${parsed.port === "" ? "5432" : parsed.port}${database}`;
}

export function createPrimary(connectionString: string): Primary {
  const servers = serversOf(connectionString);
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
