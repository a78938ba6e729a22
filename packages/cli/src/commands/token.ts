/** `daykey token`, `exchange` and `hash`: what an app's library does, by hand. */
import { Option } from "@commander-js/extra-typings";
import { DAY_SECONDS, formatDate } from "@daykey/common/clock";
import { TOKEN_EXCHANGE_GRANT, TOKEN_TYPES } from "@daykey/common/protocol";
import { aside, type Cli, find, show } from "../cli.ts";
import { metadataOf, postAuthenticated } from "../client-endpoint.ts";
import { examples, type Group } from "../command.ts";
import { FORMS, proofBy } from "../proof.ts";
import { CliError, EXIT } from "../exit.ts";
import { requireOutput } from "../hand-over.ts";
import { objectIn } from "../http.ts";
import { readToken } from "../input.ts";
import { duration } from "../times.ts";

interface TokenAnswer {
  access_token?: unknown;
  expires_in?: unknown;
  scope?: unknown;
  refresh_token?: unknown;
}

const formOption = () =>
  new Option("--form <form>", "how the client proves itself")
    .choices(FORMS)
    .default("once" as const);
const SCOPE = ["--scope <scope...>", "ask for these only"] as const;

export function tokenCommand(own: Group, cli: Cli): void {
  own
    .addOption(formOption())
    .option(...SCOPE)
    .option("--resource <uri>", "what it is for (default: the credential's)")
    .option("--refresh", "with the refresh token on standard input")
    .addHelpText(
      "after",
      examples(
        'curl -H "Authorization: Bearer $(daykey token)" http://localhost:5000/time',
        "daykey token --json > pair.json && daykey token --refresh --json < pair.json",
        "daykey token --scope time:read --form day",
      ),
    )
    .action(async ({ refresh, ...wish }) => {
      // The one that is presented is used up by it.
      if (refresh) requireOutput(cli, "Let standard output go to someone who keeps the new pair.");
      const grant = refresh
        ? {
            grant_type: "refresh_token",
            refresh_token: await readToken(cli, undefined, "refresh_token"),
          }
        : { grant_type: "client_credentials" };
      await ask(cli, wish, grant);
    });
}

export function exchangeCommand(own: Group, cli: Cli): void {
  own
    .addOption(formOption())
    .option(...SCOPE)
    .option("--resource <uri>", "what the new token is for (default: the credential's)")
    .addOption(
      new Option("--type <type>", "of the token: an access token, or a trusted issuer's JWT")
        .choices(["access_token", "jwt"] as const)
        .default("access_token" as const),
    )
    .option("--token-file <file>", "where the token is (default: standard input)")
    .addHelpText("after", examples("daykey exchange --resource http://localhost:5000 < token"))
    .action(async ({ type, tokenFile, ...wish }) => {
      await ask(cli, wish, {
        grant_type: TOKEN_EXCHANGE_GRANT,
        subject_token: await readToken(cli, tokenFile),
        subject_token_type: type === "jwt" ? TOKEN_TYPES.jwt : TOKEN_TYPES.accessToken,
      });
    });
}

interface Wish {
  form: (typeof FORMS)[number];
  scope?: string[] | undefined;
  resource?: string | undefined;
}

/** Asks the token endpoint, and shows what it issued. @throws {CliError} */
async function ask(
  cli: Cli,
  { form, scope, resource }: Wish,
  grant: Record<string, string>,
): Promise<void> {
  const { credential } = await find(cli, "app");
  const target = resource ?? credential.resource;
  const answer = await postAuthenticated(cli, {
    issuer: credential.issuer,
    url: credential.token_endpoint ?? (await metadataOf(cli, credential.issuer)).tokenEndpoint,
    proof: proofBy(form, credential),
    form: {
      ...grant,
      ...(target !== undefined && { resource: target }),
      ...(scope && { scope: scope.join(" ") }),
    },
  });
  const tokens = objectIn<TokenAnswer>("The token endpoint", answer);
  const token = tokens.access_token;
  if (typeof token !== "string") {
    throw new CliError(EXIT.refused, "The token endpoint answered without an access token");
  }
  show(cli, tokens, () => `${token}\n`);
  aside(cli, describe(tokens, target));
}

function describe(
  { scope, expires_in: life, refresh_token: refresh }: TokenAnswer,
  target?: string,
): string {
  return [
    target === undefined ? "" : `for ${target}`,
    typeof scope === "string" ? `scope ${scope}` : "",
    typeof life === "bigint" ? `ends in ${duration(Number(life))}` : "",
    refresh === undefined ? "" : "with a refresh token (--json shows it)",
  ]
    .filter(Boolean)
    .join(", ");
}

export function hashCommand(own: Group, cli: Cli): void {
  own
    .option("--once", "one that is good for a single request")
    .addHelpText(
      "after",
      examples(
        "curl http://localhost:4000/oauth2/token -d grant_type=client_credentials -d client_id=demo \\",
        '    -d client_secret_hash="$(daykey hash)"',
      ),
    )
    .action(async ({ once }) => {
      const { credential } = await find(cli, "app");
      const now = cli.clock();
      const proof = await proofBy(once ? "once" : "day", credential).prove({
        issuer: credential.issuer,
        now,
      });
      show(cli, proof.form, () => `${proof.form?.["client_secret_hash"]}\n`);
      const end = once ? "within 5 min, once" : `until ${formatDate(now + DAY_SECONDS)} 00:05 UTC`;
      aside(cli, `for ${credential.client_id}, good ${end}`);
    });
}
