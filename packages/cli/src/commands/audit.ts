/** `daykey audit`: who changed what, and whether the record is whole. */
import {
  type AdminApi,
  type AuditView,
  eachPage,
  LARGEST_PAGE,
  openAdminApi,
  type Page,
  pages,
} from "../admin-api.ts";
import { type Cli, hint, show } from "../cli.ts";
import { examples, wholeNumber, type Group } from "../command.ts";
import { CliError, EXIT } from "../exit.ts";
import { explain } from "../explain.ts";
import { facts, json, jsonLine, printable } from "../output.ts";
import { table } from "../table.ts";
import { epochOf, local, parseMoment } from "../times.ts";

type Verdict =
  | { valid: true; rows: bigint; head: string }
  | { valid: false; first_bad_seq: bigint; reason: string };

const DEFAULT_ROWS = 20;
const FOLLOW_SECONDS = 2;

export function auditCommand(audit: Group, cli: Cli): void {
  addTail(audit, cli);
  addList(audit, cli);
  addExport(audit, cli);
  addVerify(audit, cli);
}

function addTail(audit: Group, cli: Cli): void {
  audit
    .command("tail")
    .description("show the last changes, the newest at the end")
    .option("-n, --lines <number>", "how many, 1 to 200", wholeNumber, DEFAULT_ROWS)
    .option("-f, --follow", "wait for more; Ctrl-C ends it")
    .addHelpText("after", examples("daykey audit tail -n 50", "daykey audit tail -f --json"))
    .action(async ({ lines, follow }) => {
      const api = await openAdminApi(cli);
      const page = await api.call<Page<AuditView>>("GET", "/audit", {
        query: { limit: String(lines) },
      });
      if (follow) return followFrom(cli, api, page.items);
      show(cli, page, () => auditTable(cli, page.items.toReversed()));
    });
}

function addList(audit: Group, cli: Cli): void {
  filtered(audit, "list", "list changes by who made them, what and when, the newest first")
    .option("--limit <number>", "how many, 1 to 200 (default: 50)")
    .option("--cursor <cursor>", "where the page before ended")
    .option("--all", "all pages")
    .addHelpText(
      "after",
      examples(
        "daykey audit list --client billing",
        "daykey audit list --actor admin --action secret.revoke --since 7d",
      ),
    )
    .action(async ({ limit, cursor, all, ...filters }) => {
      const query = {
        ...filterQuery(cli, filters),
        limit: all ? String(LARGEST_PAGE) : limit,
      };
      const api = await openAdminApi(cli);
      const page = await pages<AuditView>(api, "/audit", { query, cursor, all: all === true });
      show(cli, page, () => auditTable(cli, page.items));
      if (page.next_cursor !== null) hint(cli, `More with --cursor ${page.next_cursor}, or --all.`);
    });
}

function addExport(audit: Group, cli: Cli): void {
  filtered(audit, "export", "print changes as JSON Lines, the newest first")
    .addHelpText(
      "after",
      examples(
        "daykey audit export > audit.jsonl",
        "daykey audit export --since 2026-11-01 --until 2026-12-01 > november.jsonl",
      ),
    )
    .action(async (filters) => {
      const query = { ...filterQuery(cli, filters), limit: String(LARGEST_PAGE) };
      const api = await openAdminApi(cli);
      let count = 0;
      try {
        for await (const { items } of eachPage<AuditView>(api, "/audit", { query })) {
          for (const entry of items) cli.terminal.print(jsonLine(entry));
          if (cli.terminal.outputFault !== undefined) return;
          count += items.length;
        }
      } catch (error) {
        if (count === 0) throw error;
        const { exitCode, message, hint: remedy, answer } = explain(error);
        throw new CliError(exitCode, `The export is cut after ${count} changes: ${message}`, {
          hint: remedy,
          answer,
          cause: error,
        });
      }
      hint(cli, `${count} changes, as the server told them. daykey audit verify checks the chain.`);
    });
}

interface Filters {
  actor?: string | undefined;
  client?: string | undefined;
  action?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
}

/** A command with the options that choose entries. */
function filtered(audit: Group, name: string, description: string) {
  return audit
    .command(name)
    .description(description)
    .option(
      "--actor <client>",
      "who made the change: a client_id, (recovery), (set-up) or (server)",
    )
    .option("--client <client>", "the client that was changed, with its secrets and keys")
    .option("--action <action>", "what was done, such as client.create")
    .option(
      "--since <time>",
      "from here on: 2026-11-01, 2026-11-01T12:00:00Z, or 7d for a week ago",
    )
    .option("--until <time>", "before here, likewise");
}

/** @throws {CliError} for a time that is none */
function filterQuery(cli: Cli, { actor, client, action, since, until }: Filters) {
  const now = cli.clock();
  return {
    actor,
    client_id: client,
    action,
    since: since === undefined ? undefined : parseMoment(since, now),
    until: until === undefined ? undefined : parseMoment(until, now),
  };
}

function addVerify(audit: Group, cli: Cli): void {
  audit
    .command("verify")
    .description("check the chain of hashes: no change is missing, moved or altered")
    .action(async () => {
      const api = await openAdminApi(cli);
      const verdict = await api.call<Verdict>("GET", "/audit/verify");
      if (verdict.valid) {
        show(cli, verdict, () =>
          facts([
            ["valid", `${verdict.rows} changes`],
            ["head", verdict.head],
          ]),
        );
        return hint(
          cli,
          "Keep the head elsewhere: it shows later that nothing up to here was replaced.",
        );
      }
      if (cli.globals().json) cli.terminal.print(json(verdict));
      throw new CliError(
        EXIT.faultsFound,
        `The audit log is not whole: change ${verdict.first_bad_seq} is the first that is wrong (${verdict.reason})`,
        { hint: "Keep the database as it is, and compare it with a backup." },
      );
    });
}

/** Prints what is there, then what is added, until it is interrupted. */
async function followFrom(cli: Cli, api: AdminApi, newest: readonly AuditView[]): Promise<void> {
  let shown = newest[0]?.seq ?? 0n;
  let fresh = newest.toReversed();
  while (cli.terminal.outputFault === undefined) {
    for (const row of fresh)
      cli.terminal.print(cli.globals().json ? jsonLine(row) : auditLine(row));
    shown = fresh.at(-1)?.seq ?? shown;
    await cli.wait(FOLLOW_SECONDS);
    const { items } = await api.call<Page<AuditView>>("GET", "/audit", {
      query: { limit: String(LARGEST_PAGE) },
    });
    fresh = items.filter(({ seq }) => seq > shown).toReversed();
  }
}

function auditLine({ seq, at, actor, action, target }: AuditView): string {
  return `${printable(`${seq}  ${localTime(at)}  ${actor}  ${action}  ${target}`)}\n`;
}

function auditTable({ terminal }: Cli, rows: readonly AuditView[]): string {
  return table(
    rows,
    [
      { title: "SEQ", of: ({ seq }) => String(seq) },
      { title: "TIME", of: ({ at }) => localTime(at) },
      { title: "ACTOR", of: ({ actor }) => actor },
      { title: "ACTION", of: ({ action }) => action },
      { title: "TARGET", of: ({ target }) => target },
    ],
    terminal,
  );
}

function localTime(iso: string): string {
  const at = epochOf(iso);
  return at === undefined ? iso : local(at);
}
