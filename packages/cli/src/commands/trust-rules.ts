/** `daykey trust rules`: which workloads become which client. */
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { openAdminApi, type Page, pages, segment } from "../admin-api.ts";
import { type Cli, confirm, show } from "../cli.ts";
import { examples, type Group, wholeNumber } from "../command.ts";
import { usageError } from "../exit.ts";
import { extOption, extText } from "../ext-option.ts";
import { facts } from "../output.ts";
import { table } from "../table.ts";
import { ALL, replace } from "./trust-issuers.ts";

interface ConditionView {
  claim: string;
  one_of?: string[];
  glob?: string;
}

interface RuleView {
  name: string;
  issuer: string;
  client_id: string;
  state: string;
  conditions: ConditionView[];
  scopes: string[] | null;
  resources: string[] | null;
  access_token_seconds: bigint | null;
  ext: object | null;
  cred: string;
}

interface RuleOptions {
  when?: readonly ConditionView[] | undefined;
  scope?: string[] | undefined;
  resource?: string[] | undefined;
  accessTokenSeconds?: number | undefined;
  /** False with --no-ext. */
  ext?: object | boolean | undefined;
}

const whenOption = () =>
  new Option(
    "--when <claim=value>",
    "a claim has this value, or one of several given so; may be repeated",
  ).argParser((text: string, before: readonly ConditionView[] | undefined) =>
    addValue(text, before ?? []),
  );
const globOption = () =>
  new Option(
    "--glob <claim=pattern>",
    "a claim is like this: * any characters but / and :, ** any at all; may be repeated",
  ).argParser((text: string, before: readonly ConditionView[] | undefined) =>
    addGlob(text, before ?? []),
  );

const extOptionOfRule = () =>
  new Option(
    "--ext <json>",
    `claims for services instead of the client's, such as '{"repository":"\${repository}"}'`,
  ).argParser(extOption);

export function addRuleCommands(rules: Group, cli: Cli): void {
  rules
    .command("list")
    .description("list the rules")
    .option("--issuer <name>", "those of this issuer")
    .option("--client <client>", "those that make this client")
    .action(async ({ issuer, client }) => {
      const api = await openAdminApi(cli);
      const query = { issuer, client_id: client };
      const all = await pages<RuleView>(api, "/trust/rules", { ...ALL, query });
      show(cli, all, () => ruleTable(cli, all));
    });

  rules
    .command("show")
    .description("show a rule")
    .argument("<name>", "its name")
    .action(async (name) => {
      const rule = await (await openAdminApi(cli)).call<RuleView>("GET", pathOf(name));
      show(cli, rule, () => ruleFacts(rule));
    });

  rules
    .command("add")
    .description("make a client of an issuer's workloads")
    .argument("<name>", "what the rule is called")
    .requiredOption("--issuer <name>", "the trusted issuer")
    .requiredOption("--client <client>", "the client that it makes")
    .addOption(whenOption())
    .addOption(globOption())
    .option("--scope <scope...>", "what of the client's scopes it gives (default: all)")
    .option("--resource <uri...>", "what of its resources (default: all)")
    .option("--access-token-seconds <seconds>", "the longest life of its tokens", wholeNumber)
    .addOption(extOptionOfRule())
    .option("--dry-run", "let nobody in, and log whom it would")
    .addHelpText(
      "after",
      examples(
        "daykey trust rules add deploy --issuer github --client deployer \\",
        "    --when repository_id=74 --when environment=prod --glob 'ref=refs/heads/*'",
        "daykey trust rules add billing --issuer cluster --client billing \\",
        "    --when /kubernetes.io/namespace=prod --when /kubernetes.io/serviceaccount/name=billing",
      ),
    )
    .action(async (name, { issuer, client, glob, dryRun, ...options }) => {
      const conditions = [...(options.when ?? []), ...(glob ?? [])];
      if (conditions.length === 0) throw usageError("A rule needs a condition: --when or --glob");
      const body = {
        name,
        issuer,
        client_id: client,
        conditions,
        ...membersOf(options),
        ...(dryRun && { state: "dry_run" }),
      };
      const api = await openAdminApi(cli);
      const rule = await api.call<RuleView>("POST", "/trust/rules", { body });
      show(cli, rule, () => ruleFacts(rule));
    });

  rules
    .command("update")
    .description("change what is given; a rule that lets in less ends its tokens")
    .argument("<name>", "its name")
    .option("--client <client>", "the client that it makes")
    .addOption(whenOption())
    .addOption(globOption())
    .option("--scope <scope...>", "what of the client's scopes it gives")
    .option("--resource <uri...>", "what of its resources")
    .option("--access-token-seconds <seconds>", "the longest life of its tokens", wholeNumber)
    .addOption(extOptionOfRule())
    .option("--no-ext", "the client's claims for services again")
    .action(async (name, { client, glob, ...options }) => {
      const conditions = [...(options.when ?? []), ...(glob ?? [])];
      const change = {
        ...(client !== undefined && { client_id: client }),
        ...(conditions.length > 0 && { conditions }),
        ...membersOf(options),
      };
      if (Object.keys(change).length === 0) throw usageError("Nothing to change is given");
      const rule = await replace<RuleView>(await openAdminApi(cli), pathOf(name), change);
      show(cli, rule, () => ruleFacts(rule));
    });

  for (const [turn, state, about] of [
    ["enable", "enabled", "let in what the rule says"],
    ["dry-run", "dry_run", "let nobody in, log whom it would, and end its tokens"],
    ["disable", "disabled", "let nobody in, and end its tokens"],
  ] as const) {
    rules
      .command(turn)
      .description(about)
      .argument("<name>", "its name")
      .action(async (name) => {
        const rule = await replace<RuleView>(await openAdminApi(cli), pathOf(name), { state });
        show(cli, rule, () => `${name} is ${state}\n`);
      });
  }

  rules
    .command("remove")
    .description("delete a rule and end its tokens")
    .argument("<name>", "its name")
    .option("--yes", "do not ask")
    .action(async (name, { yes }) => {
      await confirm(cli, `Remove the rule ${name}, and end its tokens?`, yes);
      await (await openAdminApi(cli)).answer("DELETE", pathOf(name));
      show(cli, { removed: name }, () => `${name} is removed\n`);
    });
}

function pathOf(name: string): string {
  return `/trust/rules/${segment(name)}`;
}

function membersOf({ scope, resource, accessTokenSeconds, ext }: RuleOptions): object {
  return {
    ...(scope && { scopes: scope }),
    ...(resource && { resources: resource }),
    ...(accessTokenSeconds !== undefined && { access_token_seconds: accessTokenSeconds }),
    ...(typeof ext === "object" && { ext }),
    ...(ext === false && { ext: null }),
  };
}

function addValue(text: string, before: readonly ConditionView[]): readonly ConditionView[] {
  const [claim, value] = parted(text);
  const others = before.filter((condition) => condition.claim !== claim);
  const values = before.find((condition) => condition.claim === claim)?.one_of ?? [];
  return [...others, { claim, one_of: [...values, value] }];
}

function addGlob(text: string, before: readonly ConditionView[]): readonly ConditionView[] {
  const [claim, glob] = parted(text);
  return [...before, { claim, glob }];
}

function parted(text: string): [claim: string, rest: string] {
  const at = text.indexOf("=");
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
  throw new InvalidArgumentError("It is a claim, = and a text.");
}

function conditionText({ claim, one_of: values, glob }: ConditionView): string {
  return values ? `${claim} is ${values.join(" or ")}` : `${claim} is like ${glob ?? ""}`;
}

function ruleTable({ terminal }: Cli, { items }: Page<RuleView>): string {
  return table(
    items,
    [
      { title: "NAME", of: ({ name }) => name },
      { title: "ISSUER", of: ({ issuer }) => issuer },
      { title: "CLIENT", of: ({ client_id: id }) => id },
      { title: "STATE", of: ({ state }) => state },
      { title: "CONDITIONS", of: ({ conditions }) => conditions.map(conditionText).join(", ") },
    ],
    terminal,
  );
}

function ruleFacts(rule: RuleView): string {
  const seconds = rule.access_token_seconds;
  return facts([
    ["name", rule.name],
    ["issuer", rule.issuer],
    ["client", rule.client_id],
    ["state", rule.state],
    ["conditions", rule.conditions.map(conditionText).join(", ")],
    ["scopes", rule.scopes?.join(" ") ?? "all of the client's"],
    ["resources", rule.resources?.join(" ") ?? "all of the client's"],
    ["token life", seconds === null ? "the client's" : `${seconds} s`],
    ["ext", rule.ext ? extText(rule.ext) : "the client's"],
    ["cred", rule.cred],
  ]);
}
