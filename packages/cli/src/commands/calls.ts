/** Calls to the resource-server, with a token of the client or a given one; `daykey time` is the plainest. */
import { Option } from "@commander-js/extra-typings";
import { authorizedFetch } from "@daykey/client/authorized-fetch";
import { secureUrl } from "@daykey/client/secure-url";
import { createTokenSource } from "@daykey/client/token-source";
import { type Cli, find, insecure, show } from "../cli.ts";
import { type AnyCommand, command, examples } from "../command.ts";
import { type Credential, proofBy } from "../credential.ts";
import { CliError, EXIT, usageError } from "../exit.ts";
import { accepted, ask, objectIn } from "../http.ts";
import { readToken } from "../input.ts";
import { printable } from "../output.ts";

interface CallOptions {
  resource?: string | undefined;
  tokenFile?: string | undefined;
}

export const RESOURCE = [
  "--resource <uri>",
  "the resource-server (default: the credential's)",
] as const;
export const TOKEN_FILE = ["--token-file <file>", "use this token; - for standard input"] as const;

const TIME_FORMATS = ["rfc3339", "datetime", "http-date", "unix", "unix-ms"] as const;

export function timeCommand(cli: Cli): AnyCommand {
  return command("time", "ask the resource-server for the time")
    .option("--zone <zone>", "an IANA time zone", "UTC")
    .addOption(new Option("--format <format>", "how to write it").choices(TIME_FORMATS))
    .option("--nonce <nonce>", "what the answer must repeat")
    .option(...RESOURCE)
    .option(...TOKEN_FILE)
    .addHelpText(
      "after",
      examples(
        "daykey time --zone Europe/Paris",
        "daykey time --format unix-ms --token-file token",
      ),
    )
    .action(async ({ zone, format, nonce, ...options }) => {
      const query = new URLSearchParams({ zone });
      if (format !== undefined) query.set("format", format);
      if (nonce !== undefined) query.set("nonce", nonce);
      const said = await callResource(cli, `/time?${query.toString()}`, options);
      if (nonce !== undefined && said["nonce"] !== nonce) {
        throw new CliError(EXIT.faultsFound, "The answer does not repeat the nonce", {
          answer: said,
        });
      }
      show(cli, said, () =>
        format === undefined
          ? `${text(said["local"])} ${text(said["zone"])}\n`
          : `${text(said["formatted"])}\n`,
      );
    });
}

/** What the resource-server answers to a GET with the client's token. @throws {CliError} */
export async function callResource(
  cli: Cli,
  path: string,
  options: CallOptions,
): Promise<Record<string, unknown>> {
  const { credential } = await find(cli, "app");
  const resource = options.resource ?? credential.resource;
  if (resource === undefined)
    throw usageError("The credential names no resource", "Give --resource.");
  const url = new URL(path, secureUrl(resource, insecure(cli)));
  const call = await caller(cli, { credential, resource, tokenFile: options.tokenFile });
  const answer = await cli.terminal.during("Asking the resource-server", () =>
    ask(`The resource-server at ${url.origin}`, (signal) => call(url, { signal })),
  );
  const what = `GET ${url.pathname.length > 80 ? "/primes/…" : url.pathname}`;
  return objectIn(what, accepted(what, answer));
}

/** `fetch` with the given token, or with the client's own. */
async function caller(
  cli: Cli,
  {
    credential,
    resource,
    tokenFile,
  }: { credential: Credential; resource: string; tokenFile: string | undefined },
): Promise<(url: URL, init: RequestInit) => Promise<Response>> {
  if (tokenFile !== undefined) {
    const headers = { authorization: `Bearer ${await readToken(cli, tokenFile)}` };
    return (url, init) => fetch(url, { ...init, headers, redirect: "error" });
  }
  const { issuer, token_endpoint: tokenEndpoint } = credential;
  const proof = proofBy("once", credential);
  const source = createTokenSource({
    issuer,
    tokenEndpoint,
    credential: proof,
    resource,
    ...insecure(cli),
  });
  return authorizedFetch(source, insecure(cli));
}

/** A member of an answer, for people. */
export function text(value: unknown): string {
  return printable(String(value));
}
