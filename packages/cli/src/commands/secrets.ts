/** `daykey secrets`: a client's secrets, and their rotation without a failed call. */
import {
  type ClientView,
  type EndingSecretView,
  endOne,
  LARGEST_PAGE,
  type NewSecret,
  openAdminApi,
  pages,
  type SecretView,
  segment,
} from "../admin-api.ts";
import { type Cli, confirm, hint, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";
import { checkSave, handingOver, handOver } from "../hand-over.ts";
import { completed, orderSecret } from "../new-secret.ts";
import { table } from "../table.ts";
import { duration, epochOf, local, parseDuration, relativeTo } from "../times.ts";

export function secretsCommand(secrets: Group, cli: Cli): void {
  addList(secrets, cli);
  addEnding(secrets, cli);
  addRotate(secrets, cli);
  addRevoke(secrets, cli);
}

function addList(secrets: Group, cli: Cli): void {
  secrets
    .command("list")
    .description("list a client's secrets, newest first")
    .argument("<client>", "its client_id")
    .action(async (id) => {
      const api = await openAdminApi(cli);
      const answer = await api.call<{ items: SecretView[] }>(
        "GET",
        `/clients/${segment(id)}/secrets`,
      );
      show(cli, answer, () => secretTable(cli, answer.items));
    });
}

function addEnding(secrets: Group, cli: Cli): void {
  secrets
    .command("ending")
    .description("list clients whose last secret ends soon or has ended, the earliest first")
    .option("--within <time>", "ends that are so near, such as 7d", "30d")
    .option("--limit <number>", "how many, 1 to 200 (default: 50)")
    .option("--cursor <cursor>", "where the page before ended")
    .option("--all", "all pages")
    .addHelpText(
      "after",
      examples("daykey secrets ending --within 30d", "daykey secrets ending --all --json"),
    )
    .action(async ({ within, limit, cursor, all }) => {
      const query = {
        ending_within_seconds: String(parseDuration(within)),
        limit: all ? String(LARGEST_PAGE) : limit,
      };
      const api = await openAdminApi(cli);
      const page = await pages<EndingSecretView>(api, "/secrets", {
        query,
        cursor,
        all: all === true,
      });
      show(cli, page, () =>
        page.items.length === 0
          ? `no client's last secret ends within ${within}\n`
          : endingTable(cli, page.items),
      );
      if (page.next_cursor !== null) hint(cli, `More with --cursor ${page.next_cursor}, or --all.`);
      if (page.items.length === 0) return;
      hint(
        cli,
        "Next: daykey secrets rotate CLIENT --save FILE, or daykey clients disable CLIENT.",
      );
    });
}

function addRotate(secrets: Group, cli: Cli): void {
  secrets
    .command("rotate")
    .description("give a client another secret, beside the one it has for a while")
    .argument("<client>", "its client_id")
    .option("--overlap <time>", "how long the old secret still works", "24h")
    .option("--life <days>", "of the new secret, such as 90d (default: 366d)")
    .option("--local", "make the secret here: the server never sees it")
    .option("--chosen", "read a secret of your own from standard input")
    .option("--save <file>", "write the credential to this file, in place of the old one")
    .addHelpText(
      "after",
      examples(
        "daykey secrets rotate billing --save billing.json",
        "daykey secrets rotate billing --overlap 7d",
        "daykey secrets rotate billing --overlap 0   # the old one ends at once",
      ),
    )
    .action(async (id, options) => {
      const overlapSeconds = parseDuration(options.overlap);
      const api = await openAdminApi(cli);
      const { issuer } = api;
      const path = `/clients/${segment(id)}`;
      await checkSave(options.save, { issuer, clientId: id });
      const client = await api.call<ClientView>("GET", path);
      const before = await api.call<{ items: SecretView[] }>("GET", `${path}/secrets`);
      const order = await orderSecret(cli, options);
      await handingOver(cli, options.save, async (hand) => {
        const answer = await api.call<NewSecret>("POST", `${path}/secrets`, {
          body: { ...order.body, overlap_seconds: overlapSeconds },
        });
        const [resource = issuer] = client.resources;
        await handOver(cli, hand, completed(answer, order), {
          path: options.save,
          issuer,
          resource,
          undo: async () => api.answer("POST", `${path}/secrets/${segment(answer.kid)}/revoke`),
        });
      });
      const old = before.items.find(({ live }) => live);
      if (old) explainOld(cli, { clientId: id, old, overlapSeconds });
    });
}

/** What happens to the old secret, and what to do next. */
function explainOld(
  cli: Cli,
  { clientId, old, overlapSeconds }: { clientId: string; old: SecretView; overlapSeconds: number },
): void {
  const now = cli.clock();
  const endsAt = Math.min(now + overlapSeconds, epochOf(old.expires_at) ?? Infinity);
  if (overlapSeconds === 0) return hint(cli, `The old secret ${old.kid} has ended.`);
  hint(
    cli,
    `The old secret ${old.kid} works until ${local(endsAt)}, ${duration(endsAt - now)} from now.`,
  );
  hint(
    cli,
    `Next: give the client the new secret, and see in daykey secrets list ${clientId} that it is used.`,
  );
  hint(
    cli,
    `Then let the old one end, or end it and what it opened: daykey secrets revoke ${clientId} ${old.kid}`,
  );
}

function addRevoke(secrets: Group, cli: Cli): void {
  secrets
    .command("revoke")
    .description("end a secret, and every token got with it")
    .argument("<client>", "its client_id")
    .argument("<kid>", "the secret's id, from daykey secrets list")
    .option("--yes", "do not ask")
    .action(async (id, kid, { yes }) => {
      await confirm(cli, `End the secret ${kid} of ${id}, and every token got with it?`, yes);
      const api = await openAdminApi(cli);
      await endOne(api, `/clients/${segment(id)}/secrets`, { id: kid, member: "kid" });
      show(cli, { revoked: kid }, () => `${kid} is revoked\n`);
    });
}

function secretTable({ terminal, clock }: Cli, secrets: readonly SecretView[]): string {
  const now = clock();
  return table(
    secrets,
    [
      { title: "KID", of: ({ kid }) => kid },
      { title: "KIND", of: ({ kind }) => kind },
      {
        title: "STATE",
        of: stateOf,
        style: ({ live }) => (live ? "green" : "dim"),
      },
      { title: "CREATED", of: ({ created_at }) => relativeTo(created_at, now) },
      { title: "LAST USED", of: ({ last_used_at }) => relativeTo(last_used_at, now) },
      {
        title: "ENDS",
        of: ({ expires_at, revoked_at }) => relativeTo(revoked_at ?? expires_at, now),
      },
    ],
    terminal,
  );
}

function endingTable({ terminal, clock }: Cli, secrets: readonly EndingSecretView[]): string {
  const now = clock();
  return table(
    secrets,
    [
      { title: "CLIENT", of: ({ client_id }) => client_id },
      { title: "NAME", of: ({ name }) => name },
      { title: "KID", of: ({ kid }) => kid },
      {
        title: "STATE",
        of: ({ state }) => state,
        style: ({ state }) => (state === "ended" ? "red" : "yellow"),
      },
      { title: "ENDS", of: ({ expires_at }) => relativeTo(expires_at, now) },
      { title: "LAST USED", of: ({ last_used_at }) => relativeTo(last_used_at, now) },
    ],
    terminal,
  );
}

function stateOf({ live, revoked_at }: SecretView): string {
  if (live) return "live";
  return revoked_at === null ? "ended" : "revoked";
}
