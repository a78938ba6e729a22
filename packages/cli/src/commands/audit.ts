/** `daykey audit`: who changed what, and whether the record is whole. */
import { type AdminApi, type AuditView, openAdminApi, type Page } from "../admin-api.ts";
import { type Cli, hint, show } from "../cli.ts";
import { examples, wholeNumber, type Group } from "../command.ts";
import { CliError, EXIT } from "../exit.ts";
import { facts, json, jsonLine, printable } from "../output.ts";
import { table } from "../table.ts";
import { epochOf, local } from "../times.ts";

type Verdict =
  | { valid: true; rows: bigint; head: string }
  | { valid: false; first_bad_seq: bigint; reason: string };

const DEFAULT_ROWS = 20;
const FOLLOW_SECONDS = 2;
const PAGE = 200;

export function auditCommand(audit: Group, cli: Cli): void {
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
      query: { limit: String(PAGE) },
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
