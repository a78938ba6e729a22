/** What the commands' definitions share. */
import {
  Command,
  type CommandUnknownOpts,
  InvalidArgumentError,
} from "@commander-js/extra-typings";

/** A command that holds others. */
export type Group = Command;

/** Any command, whatever its arguments and options. */
export type AnyCommand = CommandUnknownOpts;

export function command(name: string, description: string): Command {
  return new Command(name).description(description);
}

/** The part of --help that shows how a command is used. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

/** A whole number as an argument's or option's value. */
export function wholeNumber(text: string): number {
  if (/^(0|[1-9]\d{0,8})$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is not a whole number.");
}
