/**
 * The one way to PostgreSQL: a bounded pool whose every wait ends (D4). Failures of the connection or
 * of a limit become `DatabaseUnavailable`; failures of a statement stay pg's errors, with their
 * SQLSTATE in `code`.
 */
import pg from "pg";

import {
  DatabaseUnavailable,
  isConnectionLost,
  isDatabaseUnavailable,
  isPoolExhausted,
} from "./database-unavailable.ts";
import {
  createPrimary,
  NotThePrimary,
  type Primary,
  requirePrimary,
  serverName,
} from "./primary.ts";
import { BEGIN, foreignDefaults, SET_SESSION } from "./session.ts";
import { tryAgain } from "./try-again.ts";
import type { Log } from "../observe/log.ts";
import type { Tracing } from "../observe/tracing.ts";

export interface Query {
  /** Makes it a prepared statement of this name; the text must then always be the same. */
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

export interface Queryable {
  /** @throws {DatabaseUnavailable} or pg's `DatabaseError` */
  query<R extends object = never>(query: Query): Promise<{ rows: R[]; rowCount: number }>;
}

export interface Database extends Queryable {
  /**
   * Commits what `work` did once it resolves, and rolls it back when it throws. READ COMMITTED. Where it
   * met another transaction (40001, 40P01) it is run again from its beginning, a few times.
   */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  pool(): PoolState;
  close(): Promise<void>;
}

/** Connections of this process, and what waits for one. */
export interface PoolState {
  readonly max: number;
  readonly busy: number;
  readonly idle: number;
  readonly waiting: number;
}

export interface DatabaseTimeouts {
  /** For a free connection, or a new one. */
  readonly connectSeconds: number;
  readonly statementSeconds: number;
  readonly lockSeconds: number;
  readonly idleInTransactionSeconds: number;
  /** After which this side gives up on a server that says nothing at all. */
  readonly silenceSeconds: number;
}

const TIMEOUTS: DatabaseTimeouts = {
  connectSeconds: 1,
  statementSeconds: 5,
  lockSeconds: 2,
  idleInTransactionSeconds: 5,
  silenceSeconds: 7,
};

/**
 * @param options.connectionString may name several servers, of which the primary is used (`primary.ts`)
 * @param options.max connections at most, 10 by default
 * @param options.preparedStatements false behind a pooler that does not carry them
 */
export function createDatabase(options: {
  connectionString: string;
  log: Log;
  max?: number;
  preparedStatements?: boolean;
  timeouts?: Partial<DatabaseTimeouts>;
  tracing?: Tracing | undefined;
}): Database {
  const primary = createPrimary(options.connectionString);
  /** Behind a pooler whose defaults are not ours a statement alone gets a transaction. */
  let hasForeignDefaults = false;
  const pool = createPool(options, primary, (names) => {
    if (names.length > 0 && !hasForeignDefaults) {
      options.log.warn({ event: "foreign_session_defaults", settings: names }, FOREIGN_DEFAULTS);
    }
    hasForeignDefaults = names.length > 0;
  });
  const { preparedStatements = true, tracing } = options;

  async function connect(): Promise<pg.PoolClient> {
    const server = primary.current();
    try {
      return await pool.connect();
    } catch (error) {
      if (isPoolExhausted(error)) throw new DatabaseUnavailable({ cause: error });
      primary.failed(server);
      // Whatever keeps us out, a wrong password too, is told in the server's name.
      throw new DatabaseUnavailable({ cause: error, server: serverName(server) });
    }
  }

  async function withConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const client = await connect();
    let lost = false;
    const query: Connection["query"] = async ({ name, text, values }) => {
      try {
        const named = name === undefined || !preparedStatements ? {} : { name };
        const config = { ...named, text, values: values as unknown[] };
        const run = (): Promise<pg.QueryResult<never>> => client.query(config);
        const result = await (tracing?.within(name ?? verbOf(text), SPAN, run) ?? run());
        return { rows: result.rows, rowCount: result.rowCount ?? 0, command: result.command };
      } catch (error) {
        lost ||= isConnectionLost(error);
        return translate(error);
      }
    };
    try {
      return await work({ query });
    } finally {
      client.release(lost);
    }
  }

  async function transactOn<T>(
    connection: Connection,
    work: (tx: Queryable) => Promise<T>,
  ): Promise<T> {
    await connection.query({ text: BEGIN });
    let result;
    let command;
    try {
      result = await work(connection);
      ({ command } = await connection.query({ text: "commit" }));
    } catch (error) {
      // A failed rollback has marked the connection as lost, which ends the transaction too.
      await connection.query({ text: "rollback" }).catch(() => {});
      throw error;
    }
    // PostgreSQL answers the COMMIT of a failed transaction with a ROLLBACK and no error.
    if (command !== "COMMIT") throw new Error("the transaction was rolled back");
    return result;
  }

  return {
    // In a transaction of its own when it met another: behind a pooler a session can have any isolation.
    query: (query) =>
      tryAgain((attempt) =>
        withConnection((connection) =>
          attempt === 1 && !hasForeignDefaults
            ? connection.query(query)
            : transactOn(connection, (tx) => tx.query(query)),
        ),
      ),

    transaction: (work) =>
      tryAgain(() => withConnection((connection) => transactOn(connection, work))),
    pool: () => ({
      max: pool.options.max,
      busy: pool.totalCount - pool.idleCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
    }),

    close: () => pool.end(),
  };
}

const FOREIGN_DEFAULTS =
  "behind a pooler, and the role has other defaults: each statement takes a transaction of its own";

const SPAN = { "db.system.name": "postgresql" };

/** What stands for a statement without a name: its first word. */
function verbOf(text: string): string {
  return /^\s*(\w+)/.exec(text)?.[1] ?? "statement";
}

interface Connection {
  query<R extends object = never>(
    query: Query,
  ): Promise<{ rows: R[]; rowCount: number; command: string }>;
}

/** @param onDefaults is told at each connect which defaults a statement alone may meet and must not */
function createPool(
  options: Parameters<typeof createDatabase>[0],
  primary: Primary,
  onDefaults: (names: readonly string[]) => void,
): pg.Pool {
  const { log, max = 10 } = options;
  const timeouts = { ...TIMEOUTS, ...options.timeouts };
  /** pg's pool makes every connection from the same settings; with several servers they differ. */
  class ClientOfPrimary extends pg.Client {
    constructor(settings?: pg.ClientConfig) {
      super({ ...settings, connectionString: primary.current() });
    }
  }
  async function prepare(client: pg.ClientBase): Promise<void> {
    if (primary.isOneOfMany) await requirePrimary(client);
    await client.query(SET_SESSION);
    onDefaults(await foreignDefaults(client));
  }
  const pool = new pg.Pool({
    Client: ClientOfPrimary,
    // oxlint-disable-next-line typescript/no-misused-promises -- its types are behind: pg's pool waits for it
    onConnect: prepare,
    max,
    keepAlive: true,
    connectionTimeoutMillis: timeouts.connectSeconds * 1000,
    statement_timeout: timeouts.statementSeconds * 1000,
    lock_timeout: timeouts.lockSeconds * 1000,
    idle_in_transaction_session_timeout: timeouts.idleInTransactionSeconds * 1000,
    query_timeout: timeouts.silenceSeconds * 1000,
  });
  // The pool has dropped the connection already; without a listener the process would end.
  pool.on("error", (error) => log.warn({ err: error }, "an idle database connection was lost"));
  // A connection in use reports the same through its query, which rejects.
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

function translate(error: unknown): never {
  const isOutage = isDatabaseUnavailable(error) || error instanceof NotThePrimary;
  if (error instanceof DatabaseUnavailable || !isOutage) throw error;
  throw new DatabaseUnavailable({ cause: error });
}
