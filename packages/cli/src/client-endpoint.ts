/**
 * One form posted to the auth-server by an authenticated client, its answer as it came: what `token`,
 * `introspect` and `revoke` share. The SDK's token source keeps tokens to itself; here a person sees them.
 */
import { discovery, type ServerMetadata } from "@daykey/client/discovery";
import type { ClientCredential } from "@daykey/client/credential";
import { secureUrl } from "@daykey/client/secure-url";
import { MAX_CORRECTION_SECONDS } from "@daykey/client/server-clock";
import { type Cli, insecure } from "./cli.ts";
import { CliError, EXIT } from "./exit.ts";
import { accepted, type Answer, ask } from "./http.ts";
import { duration } from "./times.ts";

/** A difference between clocks that may have spoiled a proof. */
const SUSPICIOUS_SECONDS = 60;

/** @throws {CliError} */
export async function postAuthenticated(
  cli: Cli,
  {
    issuer,
    url,
    proof,
    form,
  }: {
    issuer: string;
    url: string;
    proof: ClientCredential;
    form: Readonly<Record<string, string>>;
  },
): Promise<Answer> {
  const target = secureUrl(url, insecure(cli));
  const what = `POST ${target.pathname}`;

  async function post(aheadSeconds: number): Promise<Answer> {
    const made = await proof.prove({ issuer, now: cli.clock() + aheadSeconds });
    const { authorization } = made;
    return ask(`The auth-server at ${target.origin}`, async (signal) =>
      fetch(target, {
        method: "POST",
        headers: {
          accept: "application/json",
          ...(authorization !== undefined && { authorization }),
        },
        body: new URLSearchParams({ ...form, ...made.form }),
        redirect: "error",
        signal,
      }),
    );
  }

  return cli.terminal.during("Asking the auth-server", async () => {
    const first = await post(0);
    const skew = skewOf(first.headers, cli.clock());
    const mayBeClock = proof.isDated && first.status === 401 && skew !== undefined;
    if (!mayBeClock || Math.abs(skew) < SUSPICIOUS_SECONDS) return accepted(what, first);
    const side = skew > 0 ? "behind" : "ahead of";
    // A forged `Date` must not have a hash of a later day made (docs/protocol.md §7).
    if (Math.abs(skew) > MAX_CORRECTION_SECONDS) {
      throw new CliError(
        EXIT.refused,
        `This machine's clock is ${duration(Math.abs(skew))} ${side} the server's; more than an hour is not corrected`,
        { hint: "Set this machine's clock." },
      );
    }
    const second = accepted(what, await post(skew));
    cli.terminal.clear();
    cli.terminal.note(`This machine's clock is ${duration(Math.abs(skew))} ${side} the server's.`);
    return second;
  });
}

/** How many seconds the server is ahead, by its `Date`, which has whole seconds. */
export function skewOf(headers: Headers, now: number): number | undefined {
  const at = Date.parse(headers.get("date") ?? "") / 1000;
  return Number.isNaN(at) ? undefined : at + 0.5 - now;
}

/** @throws {DaykeyError} */
export async function metadataOf(cli: Cli, issuer: string): Promise<ServerMetadata> {
  return cli.terminal.during("Asking the auth-server", () => discovery(issuer, insecure(cli)));
}
