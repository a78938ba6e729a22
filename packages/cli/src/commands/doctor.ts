/** `daykey doctor`: one line for each thing that must be right, and what to do where it is not. */
import { type Cli, find } from "../cli.ts";
import { examples, type Group } from "../command.ts";
import { type Check, runChecks } from "../checks.ts";
import { CliError, EXIT } from "../exit.ts";
import { json, printable, type Style } from "../output.ts";

const STYLES: Record<Check["status"], Style> = { ok: "green", fault: "red", skipped: "dim" };

export function doctorCommand(own: Group, cli: Cli): void {
  own
    .addHelpText(
      "after",
      examples("daykey doctor", "daykey doctor --credential billing.json --json"),
    )
    .action(async () => {
      const found = await find(cli, "app");
      const { adminUrl } = await find(cli, "admin").catch(() => found);
      const checks = await cli.terminal.during("Checking", () =>
        runChecks(cli, { ...found, adminUrl }),
      );
      const faults = checks.filter(({ status }) => status === "fault");
      const isJson = cli.globals().json === true;
      cli.terminal.print(isJson ? json({ ok: faults.length === 0, checks }) : lines(cli, checks));
      if (faults.length === 0) return;
      const names = faults.map(({ name }) => name).join(", ");
      throw new CliError(EXIT.faultsFound, `Not right: ${names}`);
    });
}

function lines({ terminal: { paint } }: Cli, checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  return checks
    .map(({ name, status, detail, fix }) => {
      const mark = paint(STYLES[status], status.padEnd("skipped".length));
      const advice = fix === undefined ? "" : `  → ${printable(fix)}`;
      return `${mark}  ${name.padEnd(width)}  ${printable(detail)}${advice}\n`;
    })
    .join("");
}
