/** `daykey resources`: the APIs that tokens are for, and the scopes they define. */
import { openAdminApi, type ResourceView, segment } from "../admin-api.ts";
import { type Cli, confirm, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";
import { usageError } from "../exit.ts";
import { objectIn } from "../http.ts";
import { facts } from "../output.ts";
import { table } from "../table.ts";

export function resourcesCommand(resources: Group, cli: Cli): void {
  resources
    .command("list")
    .description("list the resources and their scopes")
    .action(async () => {
      const api = await openAdminApi(cli);
      const answer = await api.call<{ items: ResourceView[] }>("GET", "/resources");
      show(cli, answer, () => resourceTable(cli, answer.items));
    });

  resources
    .command("add")
    .description("register a resource")
    .argument("<uri>", "its address, the audience of its tokens")
    .requiredOption("--name <name>", "for people")
    .requiredOption("--scope <scope...>", "the scopes it defines")
    .option("--owner <client>", "the client that may introspect its tokens")
    .addHelpText(
      "after",
      examples(
        "daykey resources add https://api.example.com --name API --scope orders:read orders:write",
      ),
    )
    .action(async (uri, { name, scope, owner }) => {
      const api = await openAdminApi(cli);
      const body = {
        uri,
        name,
        scopes: scope,
        ...(owner !== undefined && { owner_client_id: owner }),
      };
      const resource = await api.call<ResourceView>("POST", "/resources", { body });
      show(cli, resource, () => resourceFacts(resource));
    });

  resources
    .command("update")
    .description("change what is given, and nothing else")
    .argument("<uri>", "its address")
    .option("--name <name>", "for people")
    .option("--scope <scope...>", "all the scopes it defines")
    .option("--owner <client>", "the client that may introspect its tokens")
    .option("--no-owner", "no such client")
    .action(async (uri, { name, scope, owner }) => {
      const change = {
        ...(name !== undefined && { name }),
        ...(scope && { scopes: scope }),
        ...(owner !== undefined && { owner_client_id: owner === false ? null : owner }),
      };
      if (Object.keys(change).length === 0) throw usageError("Nothing to change is given");
      const resource = await updateResource(cli, uri, change);
      show(cli, resource, () => resourceFacts(resource));
    });

  resources
    .command("remove")
    .description("remove a resource; no token is issued for it any more")
    .argument("<uri>", "its address")
    .option("--yes", "do not ask")
    .action(async (uri, { yes }) => {
      await confirm(cli, `Remove the resource ${uri}?`, yes);
      const api = await openAdminApi(cli);
      await api.answer("DELETE", `/resources/${segment(uri)}`);
      show(cli, { removed: uri }, () => `${uri} is removed\n`);
    });
}

/** There is only a whole replacement: what is not changed goes back as it was read. */
async function updateResource(cli: Cli, uri: string, change: object): Promise<ResourceView> {
  const api = await openAdminApi(cli);
  const path = `/resources/${segment(uri)}`;
  const read = await api.answer("GET", path);
  const ifMatch = read.headers.get("etag") ?? undefined;
  const body = { ...objectIn<ResourceView>(`GET ${path}`, read), ...change };
  return objectIn<ResourceView>(`PUT ${path}`, await api.answer("PUT", path, { body, ifMatch }));
}

function resourceTable({ terminal }: Cli, resources: readonly ResourceView[]): string {
  return table(
    resources,
    [
      { title: "RESOURCE", of: ({ uri }) => uri },
      { title: "NAME", of: ({ name }) => name },
      { title: "SCOPES", of: ({ scopes }) => scopes.join(" ") },
      { title: "OWNER", of: ({ owner_client_id: owner }) => owner ?? "" },
    ],
    terminal,
  );
}

function resourceFacts({ uri, name, scopes, owner_client_id: owner }: ResourceView): string {
  return facts([
    ["uri", uri],
    ["name", name],
    ["scopes", scopes.join(" ")],
    ["owner", owner ?? ""],
  ]);
}
