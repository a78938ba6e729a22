/** `daykey restored`: what an operator says once after the database was restored from a backup. */
import { openAdminApi } from "../admin-api.ts";
import { type Cli, confirm, hint, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";

export function restoredCommand(own: Group, cli: Cli): void {
  own
    .option("--yes", "do not ask")
    .addHelpText("after", examples("daykey restored", "daykey restored --yes"))
    .action(async ({ yes }) => {
      await confirm(cli, "End every token of every client? Each has to get a new one.", yes);
      const api = await openAdminApi(cli);
      const answer = await api.call<{ clients: bigint; restored_at: string }>("POST", "/restored");
      show(cli, answer, () => `every token of ${answer.clients} clients is ended\n`);
      hint(cli, "One-time hashes from before are refused; clients get new tokens by themselves.");
    });
}
