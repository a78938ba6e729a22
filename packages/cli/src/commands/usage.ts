/** `daykey usage`: how often clients were served and refused, by day, as resource servers counted it. */
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { DAY_SECONDS, formatDate, parseDay } from "@daykey/common/clock";
import { LARGEST_PAGE, openAdminApi, type Page } from "../admin-api.ts";
import { type Cli, hint, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";
import { table } from "../table.ts";

interface UsageView {
  day: string;
  client_id: string;
  resource: string;
  scope: string;
  served: bigint;
  refused: bigint;
}

const DEFAULT_DAYS = 7;

export function usageCommand(own: Group, cli: Cli): void {
  own
    .option("--client <client>", "of this client_id alone")
    .option("--resource <uri>", "at this resource alone")
    .addOption(
      new Option(
        "--from <day>",
        "the first day, such as 2026-11-01 (default: a week ago)",
      ).argParser(dayOption),
    )
    .addOption(new Option("--to <day>", "the last day").argParser(dayOption))
    .option("--cursor <cursor>", "where the page before ended")
    .addHelpText("after", examples("daykey usage --client billing --from 2026-11-01"))
    .action(async ({ client, resource, from, to, cursor }) => {
      const api = await openAdminApi(cli);
      const weekAgo = formatDate(cli.clock() - (DEFAULT_DAYS - 1) * DAY_SECONDS);
      const page = await api.call<Page<UsageView>>("GET", "/usage", {
        query: {
          client_id: client,
          resource,
          from: from ?? weekAgo,
          to,
          cursor,
          limit: String(LARGEST_PAGE),
        },
      });
      show(cli, page, () =>
        table(
          page.items,
          [
            { title: "DAY", of: ({ day }) => day },
            { title: "CLIENT", of: ({ client_id }) => client_id },
            { title: "RESOURCE", of: (usage) => usage.resource },
            { title: "SCOPE", of: ({ scope }) => scope },
            { title: "SERVED", of: ({ served }) => String(served) },
            {
              title: "REFUSED",
              of: ({ refused }) => String(refused),
              style: ({ refused }) => (refused > 0n ? "yellow" : undefined),
            },
          ],
          cli.terminal,
        ),
      );
      if (page.next_cursor !== null) hint(cli, `More with --cursor ${page.next_cursor}.`);
    });
}

function dayOption(text: string): string {
  if (parseDay(text) !== undefined) return text;
  throw new InvalidArgumentError("Write a day as 2026-11-01.");
}
