/** `daykey prime`: asks the resource-server, and verifies the answer here, where that is wanted. */
import { Option } from "@commander-js/extra-typings";
import { verifyPrimeAnswer, type PrimeEvidence } from "@daykey/common/prime-answer";
import { type Cli, show } from "../cli.ts";
import { examples, type Group } from "../command.ts";
import { CliError, EXIT, usageError } from "../exit.ts";
import { callResource, dpopOption, KEY_FILE, RESOURCE, SIGNED, text, TOKEN_FILE } from "./calls.ts";

type Said = Record<string, unknown>;
type Direction = "next" | "previous";

/** The decimal digits of a number of 4096 bits, and a minus. */
const MAX_LENGTH = 1 + 1234;

export function primeCommand(own: Group, cli: Cli): void {
  own
    .argument("<number>", "up to 4096 bits")
    .addOption(new Option("--next", "the first prime above it instead").conflicts("previous"))
    .option("--previous", "the first prime below it instead")
    .option("--verify", "ask for evidence, and verify it here")
    .option(...RESOURCE)
    .option(...TOKEN_FILE)
    .option(...KEY_FILE)
    .addOption(dpopOption())
    .option(...SIGNED)
    .addHelpText(
      "after",
      examples(
        "daykey prime 172983479832623897492387592384682937659382477",
        "daykey prime 170141183460469231731687303715884105727 --verify",
        "daykey prime 1000000 --next",
      ),
    )
    .action(async (number, { next, previous, verify, ...options }) => {
      if (!/^-?\d+$/.test(number)) throw usageError(`"${number}" is not a whole number`);
      if (number.length > MAX_LENGTH) throw usageError("The number has more than 4096 bits");
      const direction = next ? "next" : previous ? "previous" : undefined;
      const path = ["", "primes", number, ...(direction ? [direction] : [])].join("/");
      const said = await callResource(cli, verify ? `${path}?certificate=true` : path, options);
      const proof = verify ? `verified here: ${verified(BigInt(number), direction, said)}\n` : "";
      show(cli, said, () => verdict(number, direction, said) + proof);
    });
}

function verdict(number: string, direction: Direction | undefined, said: Said): string {
  const told = text(said["number"]);
  const certainty = text(said["certainty"]);
  if (direction !== undefined) {
    const place = direction === "next" ? "next prime after" : "previous prime before";
    return `${told} is the ${place} ${number} (${certainty})\n`;
  }
  return `${told} ${said["prime"] === true ? "is prime" : "is not prime"} (${certainty})\n`;
}

/**
 * What was verified, in words. That no prime lies between a number and the next is not.
 * @throws {CliError} unless the answer is about the right number, and its evidence proves its verdict
 */
function verified(number: bigint, direction: Direction | undefined, said: Said): string {
  const told = typeof said["number"] === "bigint" ? said["number"] : number;
  const isRightSide = {
    next: told > number,
    previous: told < number,
    itself: told === number,
  }[direction ?? "itself"];
  const result = verifyPrimeAnswer(told, said);
  if (!isRightSide || (direction !== undefined && said["prime"] !== true)) throw lie(said);
  if (result.verified) return wordsFor(result.evidence);
  if (result.reason === "false") throw lie(said);
  throw new CliError(EXIT.faultsFound, "The answer comes without a proof, so it is not verified", {
    hint: "A certificate of a large prime cannot always be had. Without --verify it is shown as it is.",
    answer: said,
  });
}

function lie(answer: Said): CliError {
  return new CliError(EXIT.faultsFound, "The answer is not verified: its evidence is wrong", {
    answer,
  });
}

function wordsFor(evidence: PrimeEvidence): string {
  switch (evidence.kind) {
    case "definition":
      return "a prime is at least 2";
    case "trial-division":
      return "by trial division";
    case "factor":
      return `${evidence.factor} divides it`;
    case "witness":
      return `the strong test to base ${evidence.base} fails (Miller-Rabin)`;
    default:
      return `a certificate of ${evidence.steps} ${evidence.steps === 1 ? "step" : "steps"} (Pratt)`;
  }
}
