/** Ids and tokens that begin with a dash, which a parser of options takes for options. */
import type { AnyCommand } from "./command.ts";

/** A short word of two dashes is a mistyped option, and told as one. */
const SHORTEST_WITH_TWO_DASHES = 20;

/**
 * The command line with its arguments behind `--` where one begins with a dash: what is no option of the
 * command is its argument as long as one is missing. `--` itself works as everywhere.
 */
export function withDashedArguments(program: AnyCommand, argv: readonly string[]): string[] {
  if (argv.includes("--")) return [...argv];
  let command = program;
  const chain = [program];
  const kept: string[] = [];
  const plain: string[] = [];
  const unknown: { at: number; word: string }[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (word.length > 1 && word.startsWith("-")) {
      const values = valuesAfter(chain, word, argv.slice(at + 1));
      if (values === undefined) unknown.push({ at: plain.length, word });
      else kept.push(word, ...argv.slice(at + 1, at + 1 + values));
      at += values ?? 0;
      continue;
    }
    const child = plain.length === 0 && command.commands.find((one) => one.name() === word);
    if (child) {
      command = child;
      chain.push(child);
      kept.push(word);
    } else plain.push(word);
  }
  const [first] = unknown;
  const fits = plain.length + unknown.length <= command.registeredArguments.length;
  const isId = unknown.every(
    ({ word }) => !word.startsWith("--") || word.length >= SHORTEST_WITH_TWO_DASHES,
  );
  if (!first || !fits || !isId) return [...argv];
  const args = [...plain];
  for (const { at, word } of unknown.toReversed()) args.splice(at, 0, word);
  return [...kept, "--", ...args];
}

/** How many words after an option are its values; undefined when no command has this option. */
function valuesAfter(
  chain: readonly AnyCommand[],
  word: string,
  rest: readonly string[],
): number | undefined {
  if (word === "--help" || word === "-h") return 0;
  const [name = "", ...assigned] = word.split("=");
  const option = chain
    .flatMap(({ options }) => options)
    .find(({ long, short }) => name === long || name === short);
  if (!option) return undefined;
  if (assigned.length > 0 || (!option.required && !option.optional)) return 0;
  if (!option.variadic) return option.required || !(rest[0] ?? "-").startsWith("-") ? 1 : 0;
  const end = rest.findIndex((value, index) => index > 0 && value.startsWith("-"));
  return end === -1 ? rest.length : end;
}
