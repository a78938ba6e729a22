/** `daykey clients`: list, show, create, change and end clients. */
import { type ClientView, LARGEST_PAGE, openAdminApi, pages, segment } from "../admin-api.ts";
import { type Cli, confirm, hint, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";
import { table } from "../table.ts";
import { relativeTo } from "../times.ts";
import { clientFacts } from "../client-facts.ts";
import { addClientCreation } from "./client-registration.ts";

export function clientsCommand(clients: Group, cli: Cli): void {
  addList(clients, cli);

  clients
    .command("show")
    .description("show a client")
    .argument("<client>", "its client_id")
    .action(async (id) => {
      const api = await openAdminApi(cli);
      const client = await api.call<ClientView>("GET", `/clients/${segment(id)}`);
      show(cli, client, () => clientFacts(client, cli.clock()));
    });

  addClientCreation(clients, cli);
  addSwitches(clients, cli);
}

function addList(clients: Group, cli: Cli): void {
  clients
    .command("list")
    .description("list clients, page by page")
    .option("--search <text>", "part of the id or the name")
    .option("--enabled", "enabled ones only")
    .option("--disabled", "disabled ones only")
    .option("--scope <scope>", "those with this scope")
    .option("--resource <uri>", "those with this resource")
    .option("--sort <order>", "client_id or created_at")
    .option("--limit <number>", "how many, 1 to 200 (default: 50)")
    .option("--cursor <cursor>", "where the page before ended")
    .option("--all", "all pages")
    .addHelpText(
      "after",
      examples("daykey clients list --search billing", "daykey clients list --all --json"),
    )
    .action(async ({ search, enabled, disabled, all, cursor, limit, ...rest }) => {
      const api = await openAdminApi(cli);
      const state = enabled === disabled ? {} : { enabled: String(enabled === true) };
      const size = all ? String(LARGEST_PAGE) : limit;
      const query = { ...rest, q: search, limit: size, ...state };
      const page = await pages<ClientView>(api, "/clients", { query, cursor, all: all === true });
      show(cli, page, () => clientTable(cli, page.items));
      if (page.next_cursor !== null) hint(cli, `More with --cursor ${page.next_cursor}, or --all.`);
    });
}

const SWITCHES = [
  {
    name: "disable",
    done: "disabled",
    question: "End all tokens of %s and refuse it from now on?",
  },
  { name: "enable", done: "enabled", question: undefined },
  { name: "revoke-tokens", done: "without a token now", question: "End all tokens of %s?" },
] as const;

function addSwitches(clients: Group, cli: Cli): void {
  const descriptions = {
    disable: "refuse a client and end all its tokens",
    enable: "accept a client again; what was ended stays ended",
    "revoke-tokens": "end all tokens of a client; it may get new ones",
  };
  for (const { name, done, question } of SWITCHES) {
    clients
      .command(name)
      .description(descriptions[name])
      .argument("<client>", "its client_id")
      .option("--yes", "do not ask")
      .action(async (id, { yes }) => {
        if (question !== undefined) await confirm(cli, question.replace("%s", id), yes);
        const api = await openAdminApi(cli);
        const client = await api.call<ClientView>("POST", `/clients/${segment(id)}/${name}`);
        show(cli, client, () => `${client.client_id} is ${done}\n`);
      });
  }

  clients
    .command("delete")
    .description("delete a client for good; its id is never used again")
    .argument("<client>", "its client_id")
    .option("--yes", "do not ask")
    .action(async (id, { yes }) => {
      await confirm(cli, `Delete ${id} and end all it has? Its id stays taken for ever.`, yes);
      const api = await openAdminApi(cli);
      await api.answer("DELETE", `/clients/${segment(id)}`);
      show(cli, { deleted: id }, () => `${id} is deleted\n`);
    });
}

function clientTable({ terminal, clock }: Cli, clients: readonly ClientView[]): string {
  return table(
    clients,
    [
      { title: "CLIENT", of: ({ client_id }) => client_id },
      { title: "NAME", of: ({ name }) => name },
      {
        title: "STATE",
        of: ({ enabled }) => (enabled ? "enabled" : "disabled"),
        style: ({ enabled }) => (enabled ? undefined : "yellow"),
      },
      { title: "SCOPES", of: ({ scopes }) => scopes.join(" ") },
      { title: "CREATED", of: ({ created_at }) => relativeTo(created_at, clock()) },
    ],
    terminal,
  );
}
