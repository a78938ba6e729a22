/** What went wrong, as a `CliError`: the SDK's errors and those of the system, each in one sentence. */
import { DeadlinePassed } from "@daykey/common/deadline";
import { DaykeyError } from "@daykey/client/errors";
import { CliError, EXIT } from "./exit.ts";

/** For all but `daykey doctor` itself. */
export const DOCTOR_HINT = " daykey doctor looks closer.";
const UNREACHABLE_HINT = `Is it running, and is the address right?${DOCTOR_HINT}`;

/** Whatever was thrown, made fit to be shown. */
export function explain(error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof DaykeyError) return explainDaykey(error);
  if (error instanceof TypeError && error.cause !== undefined) return unreachable(error.cause);
  if (isTimeout(error)) return unreachable(error);
  const message = error instanceof Error ? error.message : String(error);
  return new CliError(EXIT.internal, `This is a defect of daykey: ${message}`, { cause: error });
}

/** No connection, or none that lasted. */
export function unreachable(cause: unknown, place?: string): CliError {
  const where = place === undefined ? "The server" : place;
  return new CliError(EXIT.unreachable, `${where} cannot be reached (${reasonOf(cause)})`, {
    cause,
    hint: UNREACHABLE_HINT,
  });
}

/** The innermost reason that has a short name: ECONNREFUSED, ENOTFOUND, … */
function reasonOf(error: unknown): string {
  if (isTimeout(error)) return "no answer in time";
  if (!(error instanceof Error)) return String(error);
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error.cause;
  if (inner !== undefined) return reasonOf(inner);
  return "code" in error ? String(error.code) : error.message;
}

function isTimeout(error: unknown): boolean {
  return (
    error instanceof DeadlinePassed || (error instanceof Error && error.name === "TimeoutError")
  );
}

function explainDaykey(error: DaykeyError): CliError {
  const { code, message, status = 0, description, oauthError } = error;
  switch (code) {
    case "network":
    case "timeout":
      return new CliError(EXIT.unreachable, `${message}${causeOf(error)}`, {
        hint: UNREACHABLE_HINT,
      });
    case "token_endpoint":
    case "metadata_endpoint": {
      const exitCode = isPassing(status) ? EXIT.unreachable : EXIT.refused;
      const answer = oauthError && { error: oauthError, error_description: description };
      const text = description === undefined ? message : `${message}: ${description}`;
      const hint = status === 404 ? "Is that the address of a Daykey auth-server?" : undefined;
      return new CliError(exitCode, text, { answer, hint: hintFor(oauthError) ?? hint });
    }
    case "credential":
      return new CliError(EXIT.credential, message, {
        hint: "Was it copied whole? An admin makes the client a new one: daykey secrets rotate CLIENT --save FILE",
      });
    case "insecure_url":
      return new CliError(
        EXIT.credential,
        message.replace("allowInsecureRequests", "--allow-http"),
      );
    default:
      return new CliError(EXIT.refused, message);
  }
}

function causeOf({ cause: inner }: DaykeyError): string {
  return inner === undefined ? "" : ` (${reasonOf(inner)})`;
}

/** Statuses that say: later. */
export function isPassing(status: number): boolean {
  return status >= 500 || status === 429;
}

/** What most often stands behind an OAuth error here. */
export function hintFor(oauthError: string | undefined): string | undefined {
  switch (oauthError) {
    case "invalid_client":
      return "The secret is not this client's, has ended or was revoked, the client is disabled, or it may not use this --form.";
    case "invalid_scope":
    case "invalid_target":
      return "The client is not registered for this. For an admin command, use an admin's credential (--credential, --profile).";
    case "unauthorized_client":
      return "The client is not registered for this.";
    case "invalid_grant":
      return "The refresh token was used, has ended or was revoked: get a new pair with daykey token.";
    default:
      return undefined;
  }
}
