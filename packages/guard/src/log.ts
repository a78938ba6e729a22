/** The log as the guard writes it: lines of fields and a fixed text. Pino's logger fits, and so does our service's. */
import { OWN_MESSAGE } from "@daykey/common/own-message";
import type { CredentialKind } from "./access.ts";

type Write = (fields: Readonly<Record<string, unknown>>, message: string) => void;

/** An error stands in the field `err`. No field ever holds a credential, a URL or a header. */
export interface GuardLog {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
}

/** What one request comes to, for the application's own line about it: codes and ids, nothing secret. */
export interface LogFields {
  via?: CredentialKind;
  client?: string;
  kid?: string;
  grant?: string | undefined;
  /** Why it was refused; the caller is not told so exactly. */
  reason?: string;
  /** It is over a quota, which is not enforced. */
  quota?: "would_refuse";
}

/** Without a log of the application: warnings and errors go to the console. */
export const CONSOLE_LOG: GuardLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: tell,
  error: tell,
};

function tell({ err, ...fields }: Readonly<Record<string, unknown>>, message: string): void {
  const error = err === undefined ? {} : { err: nameOf(err) };
  // oxlint-disable-next-line no-console -- who gives no log still has to see that it fails
  console.warn(`daykey guard: ${message}`, JSON.stringify({ ...fields, ...error }));
}

/** The message of a foreign error may quote what a caller sent. */
function nameOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown;
  return OWN_MESSAGE in thrown ? `${thrown.name}: ${thrown.message}` : thrown.name;
}
