/** One request with its whole answer, and the answer judged: JSON, a problem (RFC 9457), or an OAuth error. */
import { withDeadline } from "@daykey/common/deadline";
import { JsonSyntaxError, type JsonValue, parseJson } from "@daykey/common/json-numbers";
import { CliError, EXIT } from "./exit.ts";
import { explain, hintFor, isPassing, unreachable } from "./explain.ts";

export interface Answer {
  status: number;
  headers: Headers;
  /** Exact: integers are bigints. Undefined without a body, or for one that is no JSON. */
  json: JsonValue | undefined;
}

const TIMEOUT_SECONDS = 30;
const MAX_DEPTH = 32;

/** @param place the server, for when it does not answer @throws {CliError} `unreachable` */
export async function ask(
  place: string,
  request: (signal: AbortSignal) => Promise<Response>,
): Promise<Answer> {
  try {
    return await withDeadline(
      async (signal) => {
        const response = await request(signal);
        const { status, headers } = response;
        return { status, headers, json: read(await response.text()) };
      },
      { seconds: TIMEOUT_SECONDS },
    );
  } catch (error) {
    const isConnection = error instanceof TypeError && error.cause !== undefined;
    if (isConnection) throw unreachable(error.cause, place);
    const explained = explain(error);
    throw explained.exitCode === EXIT.unreachable ? unreachable(error, place) : explained;
  }
}

/** The answer, if it is a success. @param what was asked, as in "GET /time" @throws {CliError} */
export function accepted(what: string, answer: Answer): Answer {
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw refusal(what, answer);
}

/** @throws {CliError} when the answer holds no JSON object */
export function objectIn<T>(what: string, { json }: Answer): T {
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as T;
  throw new CliError(EXIT.refused, `${what} answered something that is not JSON`, {
    hint: "Is the address that of a Daykey server?",
  });
}

function refusal(what: string, answer: Answer): CliError {
  const { status, json } = answer;
  const text = textsOf(json);
  const detail = text("detail") ?? text("error_description") ?? "";
  const name = text("title") ?? text("error") ?? "";
  const reason = [name, detail].filter(Boolean).join(": ").replace(/\.$/, "");
  return new CliError(
    isPassing(status) ? EXIT.unreachable : EXIT.refused,
    reason === "" ? `${what} answered ${status}` : `${reason} (${status} from ${what})`,
    { answer: json, hint: hintOf(answer, text("error"), reason) },
  );
}

function hintOf(
  { status, headers }: Answer,
  oauthError: string | undefined,
  reason: string,
): string | undefined {
  const seconds = headers.get("retry-after");
  if (isPassing(status))
    return seconds === null ? "Try again later." : `Try again in ${seconds} s.`;
  const byOAuth = hintFor(oauthError);
  if (byOAuth !== undefined) return byOAuth;
  if (status === 401)
    return "The token is not accepted: it has ended, was revoked, or is for another server.";
  if (status === 403) return "The token does not have the scope for this.";
  // What either server says of a path that it does not have; of a client it would say more.
  if (status === 404 && reason.endsWith("Not Found"))
    return "There is no such path: is it that server's address?";
  if (status === 412) return "Someone else changed it meanwhile: run the command again.";
  return undefined;
}

/** Reads members that are texts. */
function textsOf(json: JsonValue | undefined): (name: string) => string | undefined {
  const members =
    typeof json === "object" && json !== null ? (json as Record<string, JsonValue>) : {};
  return (name) => {
    const value = members[name];
    return typeof value === "string" ? value : undefined;
  };
}

function read(text: string): JsonValue | undefined {
  if (text === "") return undefined;
  try {
    return parseJson(text, { maxDepth: MAX_DEPTH });
  } catch (error) {
    if (error instanceof JsonSyntaxError) return undefined;
    throw error;
  }
}
