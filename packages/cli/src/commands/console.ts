/** `daykey console`: a link that opens the operator's console, once and within a minute. */
import { openAdminApi } from "../admin-api.ts";
import { type Cli, find, hint, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";

export function consoleCommand(own: Group, cli: Cli): void {
  own.addHelpText("after", examples("daykey console")).action(async () => {
    const { adminUrl } = await find(cli, "admin");
    const api = await openAdminApi(cli);
    const made = await api.call<{ path: string; expires_at: string }>("POST", "/console/links");
    const url = new URL(made.path, adminUrl).href;
    show(cli, { url, expires_at: made.expires_at }, () => `${url}\n`);
    hint(cli, "It works once, within a minute. Whoever opens it is signed in as this admin.");
  });
}
