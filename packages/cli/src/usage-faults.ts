/** What is wrong with a command line, in this program's own words, with the place that tells more. */
import type { CommanderError } from "@commander-js/extra-typings";
import type { AnyCommand } from "./command.ts";
import { type CliError, usageError } from "./exit.ts";

/** By the parser's code: a sentence of the names that stand in quotes in its message. */
const SENTENCES: Readonly<Record<string, (names: readonly string[], message: string) => string>> = {
  "commander.unknownOption": ([option]) => `There is no option ${option}`,
  "commander.unknownCommand": ([name]) => `There is no command ${name}`,
  "commander.missingArgument": ([argument]) => `The argument <${argument}> is missing`,
  "commander.optionMissingArgument": ([option]) => `The option ${option} needs a value`,
  "commander.missingMandatoryOptionValue": ([option]) => `The option ${option} is missing`,
  "commander.conflictingOption": ([one, other]) => `${one} and ${other} exclude each other`,
  "commander.excessArguments": (_, message) => {
    const [, expected = "", got = ""] =
      /Expected (\d+) arguments? but got (\d+)/.exec(message) ?? [];
    const surplus = Number(got) - Number(expected);
    return surplus === 1
      ? "There is 1 argument too many"
      : `There are ${surplus} arguments too many`;
  },
  "commander.invalidArgument": (names, message) => {
    const isOption = message.startsWith("option ");
    const place = isOption ? `The option ${names[0]}` : `The argument <${names.at(-1)}>`;
    const [, choices] = /Allowed choices are ([^.]+)\.$/.exec(message) ?? [];
    if (choices !== undefined) return `${place} must be one of ${choices}`;
    const [, reason = ""] = /is invalid(?: for argument '[^']*')?\. (.+?)\.?$/.exec(message) ?? [];
    return `${place} cannot be taken: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}`;
  },
};

/** As an error of usage, exit code 2. @param argv what the parser was given */
export function explainUsage(
  { code, message }: CommanderError,
  program: AnyCommand,
  argv: readonly string[],
): CliError {
  const [text = "", suggestion = ""] = message.replace(/^error: /, "").split("\n");
  const names = [...text.matchAll(/'([^']*)'/g)].map(([, name = ""]) => name);
  const said = SENTENCES[code]?.(names, text) ?? text;
  const [, near] = /\(Did you mean (?:one of )?(.+)\?\)/.exec(suggestion) ?? [];
  const help = `See ${pathOf(program, argv)} --help.`;
  return usageError(said, near === undefined ? help : `Did you mean ${near}? ${help}`);
}

/** The words that name the command. */
function pathOf(program: AnyCommand, argv: readonly string[]): string {
  let command = program;
  const words = [program.name()];
  for (const word of argv) {
    const child = command.commands.find((one) => one.name() === word);
    if (!child) continue;
    command = child;
    words.push(word);
  }
  return words.join(" ");
}
