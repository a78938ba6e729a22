/** `daykey time` and `prime`: calls to the resource-server, with a token of the client or a given one. */
import { authorizedFetch } from "@daykey/client/authorized-fetch";
import { secureUrl } from "@daykey/client/secure-url";
import { createTokenSource } from "@daykey/client/token-source";
import { type Cli, find, insecure, show } from "../cli.ts";
import { type AnyCommand, command, examples } from "../command.ts";
import { type Credential, proofBy } from "../credential.ts";
import { usageError } from "../exit.ts";
import { accepted, ask, objectIn } from "../http.ts";
import { readToken } from "../input.ts";
import { printable } from "../output.ts";

interface CallOptions {
  resource?: string | undefined;
  tokenFile?: string | undefined;
}

const RESOURCE = ["--resource <uri>", "the resource-server (default: the credential's)"] as const;
const TOKEN_FILE = ["--token-file <file>", "use this token; - for standard input"] as const;

export function timeCommand(cli: Cli): AnyCommand {
  return command("time", "ask the resource-server for the time")
    .option("--zone <zone>", "an IANA time zone", "UTC")
    .option(...RESOURCE)
    .option(...TOKEN_FILE)
    .addHelpText(
      "after",
      examples("daykey time --zone Europe/Paris", "daykey time --token-file token"),
    )
    .action(async ({ zone, ...options }) => {
      const said = await get(cli, `/time?zone=${encodeURIComponent(zone)}`, options);
      show(cli, said, () => `${text(said["local"])} ${text(said["zone"])}\n`);
    });
}

export function primeCommand(cli: Cli): AnyCommand {
  return command("prime", "ask the resource-server whether a number is prime")
    .argument("<number>", "up to 4096 bits")
    .option(...RESOURCE)
    .option(...TOKEN_FILE)
    .addHelpText("after", examples("daykey prime 172983479832623897492387592384682937659382477"))
    .action(async (number, options) => {
      if (!/^-?\d{1,1300}$/.test(number)) throw usageError(`"${number}" is not a whole number`);
      const said = await get(cli, `/primes/${number}`, options);
      const verdict = said["prime"] === true ? "is prime" : "is not prime";
      show(cli, said, () => `${text(said["number"])} ${verdict} (${text(said["certainty"])})\n`);
    });
}

async function get(cli: Cli, path: string, options: CallOptions): Promise<Record<string, unknown>> {
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
function text(value: unknown): string {
  return printable(String(value));
}
