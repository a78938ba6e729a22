/** `daykey trust`: workloads that have an identity of their own, and the clients that rules make of them. */
import { openAdminApi } from "../admin-api.ts";
import { type Cli, hint, show } from "../cli.ts";
import { command, examples, type Group } from "../command.ts";
import { CliError, EXIT } from "../exit.ts";
import { readSecretInput } from "../input.ts";
import { extText } from "../ext-option.ts";
import { facts, printable } from "../output.ts";
import { table } from "../table.ts";
import { addIssuerCommands } from "./trust-issuers.ts";
import { addRuleCommands } from "./trust-rules.ts";

interface Explanation {
  issuer: string | null;
  refused: string | null;
  rules: {
    rule: string;
    client_id: string;
    state: string;
    unmet: { claim: string; wanted: string; found: string } | null;
  }[];
  result: {
    rule: string;
    client_id: string;
    scopes: string[];
    resources: string[];
    access_token_seconds: bigint;
    ext: object;
  } | null;
}

export function trustCommand(trust: Group, cli: Cli): void {
  const issuers = command("issuers", "whose words about workloads count");
  addIssuerCommands(issuers, cli);
  trust.addCommand(issuers);
  const rules = command("rules", "which workloads become which client");
  addRuleCommands(rules, cli);
  trust.addCommand(rules);

  trust
    .command("explain")
    .description("what a workload's token would get, and rule by rule what it lacks")
    .option("--client <client>", "the client_id that would be asked for")
    .addHelpText("after", examples("daykey trust explain < token"))
    .action(async ({ client }) => {
      const token = (await readSecretInput(cli, "the token")).trim();
      const api = await openAdminApi(cli);
      const body = { token, ...(client !== undefined && { client_id: client }) };
      const said = await api.call<Explanation>("POST", "/trust/explain", { body });
      show(cli, said, () => explanationText(cli, said));
      if (said.refused === null) return;
      hint(cli, "docs/reference/log.md says what the reason means.");
      throw new CliError(EXIT.faultsFound, `It would be refused: ${printable(said.refused)}`);
    });
}

function explanationText(cli: Cli, { issuer, rules, result }: Explanation): string {
  const judged = table(
    rules,
    [
      { title: "RULE", of: ({ rule }) => rule },
      { title: "CLIENT", of: ({ client_id: id }) => id },
      { title: "STATE", of: ({ state }) => state },
      { title: "FITS", of: ({ unmet }) => (unmet ? "no" : "yes") },
      { title: "CLAIM", of: ({ unmet }) => printable(unmet?.claim ?? "") },
      { title: "WANTED", of: ({ unmet }) => printable(unmet?.wanted ?? "") },
      { title: "THE TOKEN HAS", of: ({ unmet }) => printable(unmet?.found ?? "") },
    ],
    cli.terminal,
  );
  const got = result
    ? facts([
        ["lets it in", result.rule],
        ["as client", result.client_id],
        ["scopes", result.scopes.join(" ")],
        ["resources", result.resources.join(" ")],
        ["seconds", String(result.access_token_seconds)],
        ["ext", printable(extText(result.ext))],
      ])
    : "";
  return `${facts([["issuer", issuer ?? "none that is trusted"]])}${rules.length > 0 ? judged : ""}${got}`;
}
