/**
 * Calls to the resource-server, with a token of the client, a given one, or signed with a key; the answer
 * verified where that is wanted. `daykey time` is the plainest.
 */
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { authorizedFetch } from "@daykey/client/authorized-fetch";
import type { Fetch } from "@daykey/client/platform";
import { secureUrl } from "@daykey/client/secure-url";
import { signedFetch } from "@daykey/client/signed-fetch";
import { createTokenSource } from "@daykey/client/token-source";
import { verifiedFetch } from "@daykey/client/verified-fetch";
import { type Cli, find, insecure, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";
import type { Credential } from "../credential.ts";
import { proofBy } from "../proof.ts";
import { CliError, EXIT, usageError } from "../exit.ts";
import { accepted, ask, objectIn } from "../http.ts";
import { readToken } from "../input.ts";
import { printable } from "../output.ts";
import { readKeyFile } from "../signature-key-file.ts";

interface CallOptions {
  resource?: string | undefined;
  tokenFile?: string | undefined;
  keyFile?: string | undefined;
  dpop?: boolean | "day-key" | undefined;
  signed?: true | undefined;
}

export const RESOURCE = [
  "--resource <uri>",
  "the resource-server (default: the credential's)",
] as const;
export const TOKEN_FILE = ["--token-file <file>", "use this token; - for standard input"] as const;

export const KEY_FILE = ["--key-file <file>", "sign the request with this key instead"] as const;
export const dpopOption = () =>
  new Option(
    "--dpop [key]",
    "get a token that is bound to a key: a new one, or day-key (RFC 9449)",
  ).argParser((key: string): boolean | "day-key" => {
    if (key === "day-key") return key;
    throw new InvalidArgumentError("It is day-key, or left out.");
  });
export const SIGNED = ["--signed", "ask for a signed answer, and verify it here"] as const;

const TIME_FORMATS = ["rfc3339", "datetime", "http-date", "unix", "unix-ms"] as const;

export function timeCommand(own: Group, cli: Cli): void {
  own
    .option("--zone <zone>", "an IANA time zone", "UTC")
    .addOption(new Option("--format <format>", "how to write it").choices(TIME_FORMATS))
    .option("--nonce <nonce>", "what the answer must repeat")
    .option(...RESOURCE)
    .option(...TOKEN_FILE)
    .option(...KEY_FILE)
    .addOption(dpopOption())
    .option(...SIGNED)
    .addHelpText(
      "after",
      examples(
        "daykey time --zone Europe/Paris",
        "daykey time --format unix-ms --token-file token",
        "daykey time --key-file key.json --signed",
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

/** What the resource-server answers to a GET. @throws {CliError} */
export async function callResource(
  cli: Cli,
  path: string,
  options: CallOptions,
): Promise<Record<string, unknown>> {
  const { resource, call } = await caller(cli, options);
  const url = new URL(path, secureUrl(resource, insecure(cli)));
  const answer = await cli.terminal.during("Asking the resource-server", () =>
    ask(`The resource-server at ${url.origin}`, (signal) => call(url, { signal })),
  );
  const what = `GET ${url.pathname.length > 80 ? "/primes/…" : url.pathname}`;
  return objectIn(what, accepted(what, answer));
}

/** `fetch` as the options say, and for which resource. @throws {CliError} */
async function caller(cli: Cli, options: CallOptions): Promise<{ resource: string; call: Fetch }> {
  const { resource, call } = await (options.keyFile === undefined
    ? tokenCaller(cli, options)
    : keyCaller(cli, options.keyFile, options));
  if (!options.signed) return { resource, call };
  return { resource, call: verifiedFetch(call, { resource, ...insecure(cli) }) };
}

async function keyCaller(
  cli: Cli,
  keyFile: string,
  { resource: given, tokenFile }: CallOptions,
): Promise<{ resource: string; call: Fetch }> {
  if (tokenFile !== undefined) throw usageError("--token-file and --key-file are both given");
  const key = await readKeyFile(keyFile);
  const resource = given ?? key.resource;
  const platform = { clock: cli.clock };
  return { resource, call: signedFetch(key, { origin: resource, platform, ...insecure(cli) }) };
}

/** With the given token, or with the client's own. */
async function tokenCaller(
  cli: Cli,
  { resource: given, tokenFile, dpop }: CallOptions,
): Promise<{ resource: string; call: Fetch }> {
  const { credential } = await find(cli, "app");
  const resource = given ?? credential.resource;
  if (resource === undefined)
    throw usageError("The credential names no resource", "Give --resource.");
  if (tokenFile === undefined) {
    return { resource, call: ownTokenCaller(cli, credential, resource, dpop) };
  }
  if (dpop !== undefined) throw usageError("--token-file and --dpop are both given");
  const authorization = `Bearer ${await readToken(cli, tokenFile)}`;
  const call: Fetch = (url, init) => {
    const headers = new Headers(init?.headers);
    headers.set("authorization", authorization);
    return fetch(url, { ...init, headers, redirect: "error" });
  };
  return { resource, call };
}

function ownTokenCaller(
  cli: Cli,
  credential: Credential,
  resource: string,
  dpop: CallOptions["dpop"],
): Fetch {
  const { issuer, token_endpoint: tokenEndpoint } = credential;
  const source = createTokenSource({
    issuer,
    tokenEndpoint,
    credential: proofBy("once", credential),
    resource,
    dpop,
    ...insecure(cli),
  });
  return authorizedFetch(source, insecure(cli));
}

/** A member of an answer, for people. */
export function text(value: unknown): string {
  return printable(String(value));
}
