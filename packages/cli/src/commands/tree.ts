/** `daykey tree`: the grants that a token stands on, and which of them has ended. */
import { openAdminApi } from "../admin-api.ts";
import { type Cli, hint, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";
import { CliError, EXIT } from "../exit.ts";
import { readToken } from "../input.ts";
import { facts, printable } from "../output.ts";
import { table } from "../table.ts";
import { localAndRelative } from "../times.ts";

interface TokenExplanation {
  active: boolean;
  refused: string | null;
  token: {
    client_id: string;
    subject: string;
    actors: string[];
    resource: string;
    scope: string;
    issued_at: string;
    expires_at: string;
  } | null;
  grants: { grant: string; client_id: string; credential: string; ended: string | null }[];
}

export function treeCommand(own: Group, cli: Cli): void {
  own
    .option("--token-file <file>", "where the token is (default: standard input)")
    .addHelpText("after", examples("daykey tree < token"))
    .action(async ({ tokenFile }) => {
      const token = await readToken(cli, tokenFile);
      const api = await openAdminApi(cli);
      const body = { token };
      const said = await api.call<TokenExplanation>("POST", "/tokens/explain", { body });
      show(cli, said, () => treeText(cli, said));
      if (said.refused === null) return;
      hint(cli, "docs/reference/log.md says what the reason means.");
      throw new CliError(EXIT.faultsFound, `The token is refused: ${printable(said.refused)}`);
    });
}

/** What ended a grant, for people. */
const ENDS: Readonly<Record<string, string>> = {
  grant: "it was revoked",
  client: "its client was disabled, or its tokens ended",
  credential: "its credential was revoked or has ended",
  signing_key: "the key that signed its token was revoked",
  issuer: "all tokens were ended",
};

function treeText({ terminal, clock }: Cli, { token, grants }: TokenExplanation): string {
  if (!token) return facts([["token", "none of this server's"]]);
  const steps = grants.map((each, depth) => ({
    ...each,
    name: `${depth === 0 ? "" : `${"  ".repeat(depth - 1)}└ `}${each.client_id}`,
    state: each.ended === null ? "live" : `ended: ${ENDS[each.ended] ?? each.ended}`,
  }));
  const tree = table(
    steps,
    [
      { title: "CLIENT", of: ({ name }) => name },
      { title: "GRANT", of: ({ grant }) => grant },
      { title: "CREDENTIAL", of: ({ credential }) => credential },
      {
        title: "STATE",
        of: ({ state }) => state,
        style: ({ ended }) => (ended === null ? "green" : "red"),
      },
    ],
    terminal,
  );
  const about = facts([
    ["subject", token.subject],
    ["acts", token.actors.join(" for ") || token.client_id],
    ["resource", token.resource],
    ["scope", token.scope],
    ["ends", localAndRelative(token.expires_at, clock())],
  ]);
  return tree + about;
}
