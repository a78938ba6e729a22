/** `daykey who-uses`: the clients that have a scope, or that get tokens for a resource. */
import { comparableUri } from "@daykey/common/resource-uri";
import { type ClientView, openAdminApi, pages, type ResourceView } from "../admin-api.ts";
import { type Cli, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";
import { table } from "../table.ts";

export function whoUsesCommand(own: Group, cli: Cli): void {
  own
    .argument("<what>", "a scope, or the address of a resource")
    .addHelpText("after", examples("daykey who-uses orders:read"))
    .action(async (what) => {
      const api = await openAdminApi(cli);
      const { items: resources } = await api.call<{ items: ResourceView[] }>("GET", "/resources");
      // A scope may look like a URI: what is registered is a resource.
      const isResource = resources.some(({ uri }) => comparableUri(uri) === comparableUri(what));
      const query = isResource ? { resource: what } : { scope: what };
      const found = await pages<ClientView>(api, "/clients", {
        query,
        cursor: undefined,
        all: true,
      });
      show(cli, found, () =>
        table(
          found.items,
          [
            { title: "CLIENT", of: ({ client_id: id }) => id },
            { title: "NAME", of: ({ name }) => name },
            { title: "ENABLED", of: ({ enabled }) => (enabled ? "yes" : "no") },
            { title: "SCOPES", of: ({ scopes }) => scopes.join(" ") },
          ],
          cli.terminal,
        ),
      );
    });
}
