/** `daykey completion`: a script that lets a shell complete the fixed tree of commands and options. */
import { Argument } from "@commander-js/extra-typings";
import type { Cli } from "../cli.ts";
import { type AnyCommand, command, examples } from "../command.ts";
import { completionScript, SHELLS } from "../completion.ts";

export function completionCommand(cli: Cli, program: AnyCommand): AnyCommand {
  return command("completion", "print a completion script for a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText(
      "after",
      examples(
        "source <(daykey completion bash)",
        'daykey completion zsh > "${fpath[1]}/_daykey"',
        "daykey completion fish > ~/.config/fish/completions/daykey.fish",
      ),
    )
    .action((shell) => cli.terminal.print(completionScript(shell, program)));
}
