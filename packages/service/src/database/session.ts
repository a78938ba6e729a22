/**
 * What the code relies on in a session, set by the code: a role, a database or a server can have other
 * defaults. Set once at connect, and again in each transaction, since a pooler in transaction mode may
 * give the next one another session. A statement alone has nothing set for it there: where the defaults
 * are others, it needs a transaction (`foreignDefaults`).
 */

/** Where the operator's value may be stricter, the condition under which ours replaces it. */
const SETTINGS: readonly [name: string, value: string, onlyIf?: string][] = [
  ["default_transaction_isolation", "read committed"],
  ["default_transaction_read_only", "off"],
  ["default_transaction_deferrable", "off"],
  // What was answered is durable (a used nonce, a rotation); remote_apply stays.
  ["synchronous_commit", "on", "off"],
  ["search_path", "pg_catalog, public"],
  ["client_encoding", "UTF8"],
  ["timezone", "UTC"],
  ["datestyle", "ISO, MDY"],
  ["intervalstyle", "postgres"],
  ["bytea_output", "hex"],
  ["extra_float_digits", "1"],
  ["standard_conforming_strings", "on"],
  ["array_nulls", "on"],
  ["transform_null_equals", "off"],
  ["row_security", "on"],
  ["transaction_timeout", "0"],
  // Ours are kept for their next use, or hold a lock or listen.
  ["idle_session_timeout", "0"],
];

function settingsText(isLocal: boolean): string {
  const calls = SETTINGS.map(([name, value, onlyIf]) => {
    const call = `set_config('${name}', '${value}', ${isLocal})`;
    if (onlyIf === undefined) return call;
    const now = `current_setting('${name}')`;
    return `case when ${now} = '${onlyIf}' then ${call} end`;
  });
  return `select ${calls.join(", ")}`;
}

/** One statement without parameters. */
export const SET_SESSION = settingsText(false);

/**
 * Several statements in one message, so they cost no round trip of their own. READ COMMITTED, whatever
 * the session's default. Nothing of it changes what a standby says to a write.
 */
export const BEGIN = `begin isolation level read committed; ${settingsText(true)}`;

/**
 * Defaults under which a statement alone reads or writes something else, or is not durable; and those
 * that do as well as ours. An isolation is none of them: a statement that met another is run again.
 */
const DEFAULTS: Readonly<Record<string, readonly string[]>> = {
  TimeZone: ["UTC", "Etc/UTC", "GMT", "Etc/GMT"],
  DateStyle: ["ISO, MDY"],
  IntervalStyle: ["postgres"],
  bytea_output: ["hex"],
  extra_float_digits: ["1", "2", "3"],
  standard_conforming_strings: ["on"],
  array_nulls: ["on"],
  transform_null_equals: ["off"],
  row_security: ["on"],
  transaction_timeout: ["0"],
  synchronous_commit: ["on", "local", "remote_write", "remote_apply"],
};

/** What of pg's client is used here; the process is what the server, or a pooler, said it is. */
interface SessionClient {
  query(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
  readonly processID?: number | null;
}

/**
 * The names of defaults that a statement alone may meet behind this connection and must not: none when
 * it leads to PostgreSQL itself, where what was set at connect stays. A pooler is told by the process
 * that it says it is: another than the one that answers.
 */
export async function foreignDefaults(client: SessionClient): Promise<string[]> {
  const { rows: own } = await client.query("select pg_backend_pid() as pid");
  if (own[0]?.["pid"] === client.processID) return [];
  const { rows } = await client.query(
    "select name, reset_val as value from pg_settings where name = any($1::text[])",
    [Object.keys(DEFAULTS)],
  );
  return rows
    .map(({ name, value }) => ({ name: String(name), value: String(value) }))
    .filter(({ name, value }) => DEFAULTS[name]?.includes(value) === false)
    .map(({ name }) => name);
}
