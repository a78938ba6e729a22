/**
 * What the code relies on in a session, set by the code: a role, a database or a server can have other
 * defaults. Set once at connect, and again in each transaction, since a pooler in transaction mode may
 * give the next one another session.
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
