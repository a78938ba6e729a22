/** `daykey keys`: the keys that tokens are made with. They rotate by themselves. */
import { type KeyView, openAdminApi, segment } from "../admin-api.ts";
import { type Cli, confirm, hint, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";
import { table } from "../table.ts";
import { epochOf, parseDuration, relativeTo } from "../times.ts";

export function keysCommand(keys: Group, cli: Cli): void {
  keys
    .command("list")
    .description("list the keys: next, current and retired ones")
    .action(async () => {
      const api = await openAdminApi(cli);
      const answer = await api.call<{ items: KeyView[] }>("GET", "/keys");
      show(cli, answer, () => keyTable(cli, answer.items));
    });

  keys
    .command("rotate")
    .description("make the next signing key of access tokens now, instead of when it is due")
    .option("--in <time>", "from now to its first use (default: the server's overlap)")
    .addHelpText("after", examples("daykey keys rotate", "daykey keys rotate --in 10m"))
    .action(async ({ in: time }) => {
      const body = time === undefined ? {} : { active_in_seconds: parseDuration(time) };
      const api = await openAdminApi(cli);
      const key = await api.call<KeyView>("POST", "/keys/rotate", { body });
      show(cli, key, () => `${key.kid} signs ${relativeTo(key.active_at, cli.clock())}\n`);
      const isLater = (epochOf(key.active_at) ?? 0) > cli.clock();
      if (!isLater) {
        return hint(
          cli,
          "It was not published ahead: a validator that does not look for a new kid refuses its tokens for a while.",
        );
      }
      hint(cli, "Until then it is published, so that every validator knows it in time.");
    });

  keys
    .command("revoke")
    .description("remove a key: every token made with it is dead")
    .argument("<kid>", "its id, from daykey keys list")
    .option("--yes", "do not ask")
    .addHelpText("after", examples("daykey keys revoke k3f9a1c2 --yes"))
    .action(async (kid, { yes }) => {
      await confirm(cli, `Remove the key ${kid}? Every token made with it is dead at once.`, yes);
      const api = await openAdminApi(cli);
      await api.answer("POST", `/keys/${segment(kid)}/revoke`);
      show(cli, { revoked: kid }, () => `${kid} is revoked\n`);
    });
}

function keyTable({ terminal, clock }: Cli, keys: readonly KeyView[]): string {
  const now = clock();
  return table(
    keys,
    [
      { title: "KID", of: ({ kid }) => kid },
      { title: "PURPOSE", of: ({ purpose }) => purpose },
      { title: "ALGORITHM", of: ({ algorithm }) => algorithm },
      {
        title: "STATE",
        of: ({ state }) => state,
        style: ({ state }) => (state === "current" ? "green" : "dim"),
      },
      { title: "CREATED", of: ({ created_at }) => relativeTo(created_at, now) },
      { title: "USED FROM", of: ({ active_at }) => relativeTo(active_at, now) },
    ],
    terminal,
  );
}
